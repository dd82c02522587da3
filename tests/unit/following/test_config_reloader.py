"""The reloader, with a real settings file and a roster of fake collectors."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from host.config.agent_settings import AgentSettings
from host.errors import ConfigError
from host.following.config_reloader import ConfigReloader
from tests.support.roster_run import CARLY, WALTER, run_roster


async def test_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "courtside.toml"
    file.write_text("one")
    agents = {"carly": CARLY}
    async with run_roster(tmp_path, {"carly": CARLY}) as run:
        reloader = ConfigReloader(run.roster, file, lambda: dict(agents))
        async with anyio.create_task_group() as group:
            group.start_soon(reloader.run)
            agents["walter"] = WALTER
            file.write_text("another")
            await run.until(lambda: "walter" in run.roster.names())
            group.cancel_scope.cancel()


async def test_unusable_file_changes_nothing_until_it_is_corrected(
    tmp_path: Path,
) -> None:
    def reread() -> dict[str, AgentSettings]:
        if trouble:
            raise ConfigError(trouble[0])
        return {"walter": WALTER}

    trouble = ["courtside.toml, line 2: agents.walter needs a url"]
    async with run_roster(tmp_path, {"carly": CARLY}) as run:
        reloader = ConfigReloader(run.roster, None, reread)
        with pytest.raises(ConfigError, match="line 2"):
            await reloader.reload()
        assert [reloader.trouble] == trouble
        assert run.roster.names() == ["carly"]

        trouble.clear()
        await reloader.reload()
        assert reloader.trouble is None
        assert run.roster.names() == ["walter"]


async def test_deleted_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "courtside.toml"
    file.write_text("one")
    async with run_roster(tmp_path, {"carly": CARLY}) as run:
        reloader = ConfigReloader(run.roster, file, dict)
        file.unlink()
        with pytest.raises(ConfigError, match=r"courtside\.toml no longer exists"):
            await reloader.reload()
        assert run.roster.names() == ["carly"]

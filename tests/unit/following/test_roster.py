"""Owns the promises of the roster: who is followed, under which name, since when.

Collectors are stand-ins that note what is asked of them; the files are real.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from host.config.agent_settings import AgentSettings
from host.errors import ConfigError, UnknownAgent
from host.feed.feed import Feed
from host.following.collector import Collector
from host.following.reloader import Reloader
from host.following.roster import AgentExists, Roster
from host.following.roster_file import FILE, NotKept
from host.log.memory import MemoryLog
from host.model.event import AgentEvent

CARLY = AgentSettings("http://127.0.0.1:8001")
WALTER = AgentSettings("http://127.0.0.1:8002")
TRAVEL = AgentSettings("https://agents.example.org/travel")


class Puppet:
    """A collector that follows nobody. It needs a moment to end, as a real one may."""

    def __init__(self, stage: Stage, name: str, settings: AgentSettings) -> None:
        self.stage, self.name, self.settings = stage, name, settings

    async def run(self) -> None:
        self.stage.note(self.name, "runs", self.settings.url)
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            self.stage.note(self.name, "ends", self.settings.url)

    def retry_now(self) -> None:
        self.stage.note(self.name, "retries", self.settings.url)

    async def announce_removed(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.stage.note(self.name, "is removed", self.settings.url)


class Stage:
    """A roster with puppets, and what they did."""

    def __init__(self, folder: Path, configured: Mapping[str, AgentSettings]) -> None:
        self.done: list[tuple[str, str, str]] = []
        self.feed = Feed(MemoryLog())
        self.folder = folder
        self.roster = Roster(self.feed, configured, folder, self._collect)

    def _collect(self, name: str, settings: AgentSettings, _: Feed) -> Collector:
        return cast(Collector, Puppet(self, name, settings))

    def note(self, name: str, did: str, url: str) -> None:
        self.done.append((name, did, url))

    def did(self, name: str) -> list[str]:
        return [did for who, did, _ in self.done if who == name]

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(5):
            while not true():
                await anyio.lowlevel.checkpoint()

    async def until_did(self, name: str, count: int) -> None:
        await self.until(lambda: len(self.did(name)) >= count)

    def kept(self) -> Any:
        return json.loads((self.folder / FILE).read_text("utf-8"))


@asynccontextmanager
async def a_roster(
    folder: Path,
    configured: Mapping[str, AgentSettings],
    *,
    rows: Mapping[str, str] | None = None,
) -> AsyncIterator[Stage]:
    """`rows` maps name to URL of agents that the feed knows from before."""
    stage = Stage(folder, configured)
    for name, url in (rows or {}).items():
        row = AgentEvent(agent=name, url=url, connection="lost", received_at="")
        stage.feed.board.fold(row)
    async with anyio.create_task_group() as group:
        await group.start(stage.roster.run)
        yield stage
        group.cancel_scope.cancel()


class TestAnAgentThatIsAdded:
    async def test_is_followed_and_kept_over_a_restart(self, tmp_path: Path) -> None:
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            assert await stage.roster.add("trips", TRAVEL) == "trips"
            await stage.until(lambda: stage.did("trips") == ["runs"])

        async with a_roster(tmp_path, {"carly": CARLY}) as again:
            assert again.roster.names() == ["carly", "trips"]
            await again.until(lambda: again.did("trips") == ["runs"])

    async def test_keeps_the_address_of_its_card(self, tmp_path: Path) -> None:
        there = AgentSettings(TRAVEL.url, "/cards/travel.json")
        async with a_roster(tmp_path, {}) as stage:
            await stage.roster.add("trips", there)

        async with a_roster(tmp_path, {}) as again:
            puppet = cast(Puppet, again.roster.collector("trips"))
            assert puppet.settings == there

    async def test_is_named_by_its_url(self, tmp_path: Path) -> None:
        async with a_roster(tmp_path, {}) as stage:
            assert await stage.roster.add(None, TRAVEL) == "travel"

    async def test_gets_the_name_that_its_url_had_before(self, tmp_path: Path) -> None:
        rows = {"logan": "http://127.0.0.1:9003"}
        async with a_roster(tmp_path, {}, rows=rows) as stage:
            settings = AgentSettings("http://127.0.0.1:9003")
            assert await stage.roster.add(None, settings) == "logan"

    async def test_does_not_get_a_name_with_anothers_history(
        self, tmp_path: Path
    ) -> None:
        rows = {"travel": "https://former.example/travel"}
        async with a_roster(tmp_path, {}, rows=rows) as stage:
            assert await stage.roster.add(None, TRAVEL) == "travel-2"

    @pytest.mark.parametrize(
        ("name", "settings"), [("carly", TRAVEL), ("another", CARLY), (None, CARLY)]
    )
    async def test_is_refused_where_name_or_url_are_taken(
        self, tmp_path: Path, name: str | None, settings: AgentSettings
    ) -> None:
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            with pytest.raises(AgentExists, match=r"carly.*|http://127\.0\.0\.1:8001"):
                await stage.roster.add(name, settings)
            assert stage.roster.names() == ["carly"]

    @pytest.mark.parametrize("name", ["", "Carly", "host", "a/b", "x" * 33, "1st"])
    async def test_is_refused_under_a_name_that_is_none(
        self, tmp_path: Path, name: str
    ) -> None:
        async with a_roster(tmp_path, {}) as stage:
            with pytest.raises(ConfigError, match="name"):
                await stage.roster.add(name, TRAVEL)

    async def test_is_refused_when_that_cannot_be_written_down(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "data"
        async with a_roster(folder, {"carly": CARLY}) as stage:
            folder.write_text("a file where the folder should be")
            with pytest.raises(NotKept, match="cannot be written"):
                await stage.roster.add("trips", TRAVEL)
            with pytest.raises(NotKept, match="cannot be written"):
                await stage.roster.remove("carly")
            assert stage.roster.names() == ["carly"]

    async def test_twice_at_once_is_followed_once(self, tmp_path: Path) -> None:
        refused: list[str] = []
        async with a_roster(tmp_path, {}) as stage:

            async def add() -> None:
                try:
                    await stage.roster.add(None, TRAVEL)
                except AgentExists as error:
                    refused.append(str(error))

            async with anyio.create_task_group() as group:
                group.start_soon(add)
                group.start_soon(add)
            assert stage.roster.names() == ["travel"]
        assert len(refused) == 1


class TestAnAgentThatIsRemoved:
    async def test_ends_says_so_and_stays_away_over_a_restart(
        self, tmp_path: Path
    ) -> None:
        async with a_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as stage:
            await stage.until(lambda: len(stage.done) == 2)
            await stage.roster.remove("carly")
            assert stage.did("carly") == ["runs", "ends", "is removed"]
            with pytest.raises(UnknownAgent, match="there are: walter"):
                stage.roster.collector("carly")

        async with a_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as again:
            assert again.roster.names() == ["walter"]

    async def test_and_was_added_before_leaves_nothing_behind(
        self, tmp_path: Path
    ) -> None:
        async with a_roster(tmp_path, {}) as stage:
            await stage.roster.add("trips", TRAVEL)
            await stage.roster.remove("trips")
            assert stage.kept() == {"added": {}, "removed": {}}

    async def test_and_added_again_runs_only_after_the_former_has_ended(
        self, tmp_path: Path
    ) -> None:
        life = ["runs", "ends", "is removed"]
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            for lives in range(1, 4):
                await stage.until_did("carly", 3 * lives - 2)
                await stage.roster.remove("carly")
                await stage.roster.add("carly", CARLY)
                await stage.until_did("carly", 3 * lives + 1)
            assert stage.did("carly") == [*life * 3, "runs"]

    async def test_and_added_again_many_times_at_once_is_followed_in_the_end(
        self, tmp_path: Path
    ) -> None:
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            for _ in range(10):
                await stage.roster.remove("carly")
                await stage.roster.add("carly", CARLY)
            await stage.until(lambda: stage.did("carly").count("is removed") == 10)
            await stage.until(lambda: stage.did("carly")[-1] == "runs")

    async def test_comes_back_with_the_settings_of_the_file(
        self, tmp_path: Path
    ) -> None:
        """Its credentials are there; over HTTP nobody could give them."""
        secret = AgentSettings(CARLY.url, trusted_hosts=("api.example",))
        async with a_roster(tmp_path, {"carly": secret}) as stage:
            await stage.roster.remove("carly")
            assert await stage.roster.add(None, CARLY) == "carly"
            assert cast(Puppet, stage.roster.collector("carly")).settings == secret
            assert stage.kept() == {"added": {}, "removed": {}}

    async def test_leaves_its_name_but_not_its_settings_to_another_url(
        self, tmp_path: Path
    ) -> None:
        secret = AgentSettings(CARLY.url, trusted_hosts=("api.example",))
        async with a_roster(tmp_path, {"carly": secret}) as stage:
            await stage.roster.remove("carly")
            await stage.roster.add("carly", TRAVEL)
            assert cast(Puppet, stage.roster.collector("carly")).settings == TRAVEL

        async with a_roster(tmp_path, {"carly": secret}) as again:
            assert cast(Puppet, again.roster.collector("carly")).settings == TRAVEL

    async def test_is_unknown_the_second_time(self, tmp_path: Path) -> None:
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            await stage.roster.remove("carly")
            with pytest.raises(UnknownAgent):
                await stage.roster.remove("carly")

    async def test_from_the_settings_while_the_host_was_down_is_said_to_be_removed(
        self, tmp_path: Path
    ) -> None:
        rows = {"walter": WALTER.url, "carly": CARLY.url}
        async with a_roster(tmp_path, {"carly": CARLY}, rows=rows) as stage:
            await stage.until(lambda: "is removed" in stage.did("walter"))
            assert "runs" not in stage.did("walter")
            assert "is removed" not in stage.did("carly")


class TestOtherSettings:
    async def test_restart_only_what_they_change(self, tmp_path: Path) -> None:
        moved = AgentSettings("http://127.0.0.1:9002")
        async with a_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as stage:
            await stage.until(lambda: len(stage.done) == 2)
            now = {"carly": CARLY, "walter": moved, "travel": TRAVEL}
            difference = await stage.roster.reload(now)
            await stage.until(lambda: stage.did("travel") == ["runs"])
            await stage.until(lambda: stage.did("walter") == ["runs", "ends", "runs"])

            assert difference == (["travel"], [], ["walter"])
            assert stage.did("carly") == ["runs"]
            assert stage.done[-1][1:] != ("runs", WALTER.url)

    async def test_without_an_agent_remove_it(self, tmp_path: Path) -> None:
        async with a_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as stage:
            assert (await stage.roster.reload({"carly": CARLY})).removed == ["walter"]
            await stage.until(lambda: "is removed" in stage.did("walter"))

    async def test_do_not_touch_what_was_added(self, tmp_path: Path) -> None:
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            await stage.roster.add("trips", TRAVEL)
            assert await stage.roster.reload({"carly": CARLY}) == ([], [], [])
            assert stage.roster.names() == ["carly", "trips"]

    async def test_do_not_bring_back_what_was_removed(self, tmp_path: Path) -> None:
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            await stage.roster.remove("carly")
            await stage.roster.reload({"carly": CARLY, "walter": WALTER})
            assert stage.roster.names() == ["walter"]

    async def test_that_name_another_url_are_of_another_agent(
        self, tmp_path: Path
    ) -> None:
        moved = AgentSettings("http://127.0.0.1:9001")
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            await stage.roster.remove("carly")
            assert (await stage.roster.reload({"carly": moved})).added == ["carly"]

    async def test_win_over_what_was_added_under_their_name(
        self, tmp_path: Path
    ) -> None:
        with_card = AgentSettings(TRAVEL.url, "/card.json")
        async with a_roster(tmp_path, {}) as stage:
            await stage.roster.add("trips", TRAVEL)
            assert (await stage.roster.reload({"trips": with_card})).changed == [
                "trips"
            ]
            assert stage.kept()["added"] == {}


class TestTheSettingsFile:
    async def test_is_read_again_when_it_changed(self, tmp_path: Path) -> None:
        file = tmp_path / "courtside.toml"
        file.write_text("one")
        agents = {"carly": CARLY}
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            reloader = Reloader(stage.roster, file, lambda: dict(agents))
            async with anyio.create_task_group() as group:
                group.start_soon(reloader.run)
                agents["walter"] = WALTER
                file.write_text("another")
                await stage.until(lambda: "walter" in stage.roster.names())
                group.cancel_scope.cancel()

    async def test_that_is_broken_changes_nothing_until_it_is_mended(
        self, tmp_path: Path
    ) -> None:
        def reread() -> dict[str, AgentSettings]:
            if trouble:
                raise ConfigError(trouble[0])
            return {"walter": WALTER}

        trouble = ["courtside.toml, line 2: agents.walter needs a url"]
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            reloader = Reloader(stage.roster, None, reread)
            with pytest.raises(ConfigError, match="line 2"):
                await reloader.reload()
            assert [reloader.trouble] == trouble
            assert stage.roster.names() == ["carly"]

            trouble.clear()
            await reloader.reload()
            assert reloader.trouble is None
            assert stage.roster.names() == ["walter"]

    async def test_that_is_gone_changes_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "courtside.toml"
        file.write_text("one")
        async with a_roster(tmp_path, {"carly": CARLY}) as stage:
            reloader = Reloader(stage.roster, file, dict)
            file.unlink()
            with pytest.raises(ConfigError, match=r"courtside\.toml: is gone"):
                await reloader.reload()
            assert stage.roster.names() == ["carly"]


class TestWhatIsKept:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            '{"added": {"x": {}}}',
            '{"added": {"x": {"url": "ftp://x.example"}}}',
            '{"added": {"../x": {"url": "http://x.example"}}}',
            '{"added": {"x": {"url": "http://x.example", "bearer": "secret"}}}',
        ],
    )
    def test_and_cannot_be_used_is_said_before_the_host_starts(
        self, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / FILE).write_text(text)
        with pytest.raises(ConfigError, match=r"agents\.json: cannot be used: .*mend"):
            Stage(tmp_path, {})

    async def test_is_whole_after_any_crash(self, tmp_path: Path) -> None:
        """A crash leaves at most a draft beside it, which nobody reads."""
        async with a_roster(tmp_path, {}) as stage:
            await stage.roster.add("trips", TRAVEL)
        (tmp_path / "agents.new").write_text('{"added": {"tri')

        async with a_roster(tmp_path, {}) as again:
            assert again.roster.names() == ["trips"]
            await again.roster.remove("trips")

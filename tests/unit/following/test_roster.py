"""Tests of the roster: which agents are followed, and under which names.

The collectors are fake. The files are real.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from host.config.agent_settings import AgentSettings
from host.errors import ConfigError, UnknownAgent
from host.following.roster import AgentExists
from host.following.roster_file import FILE, RosterNotSaved
from tests.support.roster_run import CARLY, TRAVEL, WALTER, RosterRun, run_roster


class TestAddedAgent:
    async def test_is_followed_also_after_a_restart(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            assert await run.roster.add("trips", TRAVEL) == "trips"
            await run.until(lambda: run.actions_of("trips") == ["runs"])

        async with run_roster(tmp_path, {"carly": CARLY}) as again:
            assert again.roster.names() == ["carly", "trips"]
            await again.until(lambda: again.actions_of("trips") == ["runs"])

    async def test_has_a_row_before_the_feed_has_it(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            await run.roster.add("trips", TRAVEL)
            assert not run.feed.board.agents  # The collectors are fake.
            rows = [(row.agent, row.connection) for row in run.roster.rows()]
            await run.roster.remove("carly")
            after = [row.agent for row in run.roster.rows()]

        assert rows == [("carly", "connecting"), ("trips", "connecting")]
        assert after == ["trips"]

    async def test_keeps_its_card_address(self, tmp_path: Path) -> None:
        there = AgentSettings(TRAVEL.url, "/cards/travel.json")
        async with run_roster(tmp_path, {}) as run:
            await run.roster.add("trips", there)

        async with run_roster(tmp_path, {}) as again:
            assert again.settings_of("trips") == there

    async def test_gets_a_name_from_its_url(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {}) as run:
            assert await run.roster.add(None, TRAVEL) == "travel"

    async def test_gets_the_name_that_its_url_had_before(self, tmp_path: Path) -> None:
        rows = {"logan": "http://127.0.0.1:9003"}
        async with run_roster(tmp_path, {}, rows=rows) as run:
            settings = AgentSettings("http://127.0.0.1:9003")
            assert await run.roster.add(None, settings) == "logan"

    async def test_does_not_get_the_name_of_another_agent(self, tmp_path: Path) -> None:
        rows = {"travel": "https://former.example/travel"}
        async with run_roster(tmp_path, {}, rows=rows) as run:
            assert await run.roster.add(None, TRAVEL) == "travel-2"

    @pytest.mark.parametrize(
        ("name", "settings"), [("carly", TRAVEL), ("another", CARLY), (None, CARLY)]
    )
    async def test_is_refused_if_its_name_or_url_is_taken(
        self, tmp_path: Path, name: str | None, settings: AgentSettings
    ) -> None:
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            with pytest.raises(AgentExists, match=r"carly.*|http://127\.0\.0\.1:8001"):
                await run.roster.add(name, settings)
            assert run.roster.names() == ["carly"]

    @pytest.mark.parametrize("name", ["", "Carly", "host", "a/b", "x" * 33, "1st"])
    async def test_is_refused_with_an_invalid_name(
        self, tmp_path: Path, name: str
    ) -> None:
        async with run_roster(tmp_path, {}) as run:
            with pytest.raises(ConfigError, match="name"):
                await run.roster.add(name, TRAVEL)

    async def test_is_refused_if_the_disk_fails(self, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        async with run_roster(folder, {"carly": CARLY}) as run:
            folder.write_text("a file where the folder should be")
            with pytest.raises(RosterNotSaved, match="cannot be written"):
                await run.roster.add("trips", TRAVEL)
            with pytest.raises(RosterNotSaved, match="cannot be written"):
                await run.roster.remove("carly")
            assert run.roster.names() == ["carly"]

    async def test_is_followed_once_if_added_twice_at_once(
        self, tmp_path: Path
    ) -> None:
        refused: list[str] = []
        async with run_roster(tmp_path, {}) as run:

            async def add() -> None:
                try:
                    await run.roster.add(None, TRAVEL)
                except AgentExists as error:
                    refused.append(str(error))

            async with anyio.create_task_group() as group:
                group.start_soon(add)
                group.start_soon(add)
            assert run.roster.names() == ["travel"]
        assert len(refused) == 1


class TestRemovedAgent:
    async def test_ends_and_stays_removed_after_a_restart(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as run:
            await run.until(lambda: len(run.actions) == 2)
            await run.roster.remove("carly")
            assert run.actions_of("carly") == ["runs", "ends", "is removed"]
            with pytest.raises(UnknownAgent, match="there are: walter"):
                run.roster.collector("carly")

        async with run_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as again:
            assert again.roster.names() == ["walter"]

    async def test_leaves_nothing_in_the_file_if_it_was_added_before(
        self, tmp_path: Path
    ) -> None:
        async with run_roster(tmp_path, {}) as run:
            await run.roster.add("trips", TRAVEL)
            await run.roster.remove("trips")
            assert run.stored() == {"added": {}, "removed": {}}

    async def test_added_again_runs_only_after_the_old_one_ended(
        self, tmp_path: Path
    ) -> None:
        life = ["runs", "ends", "is removed"]
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            for lives in range(1, 4):
                await run.until_actions("carly", 3 * lives - 2)
                await run.roster.remove("carly")
                await run.roster.add("carly", CARLY)
                await run.until_actions("carly", 3 * lives + 1)
            assert run.actions_of("carly") == [*life * 3, "runs"]

    async def test_removed_and_added_many_times_is_followed_in_the_end(
        self, tmp_path: Path
    ) -> None:
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            for _ in range(10):
                await run.roster.remove("carly")
                await run.roster.add("carly", CARLY)
            await run.until(lambda: run.actions_of("carly").count("is removed") == 10)
            await run.until(lambda: run.actions_of("carly")[-1] == "runs")

    async def test_added_again_has_the_settings_of_the_file(
        self, tmp_path: Path
    ) -> None:
        """Its credentials are only in the file. HTTP requests cannot contain them."""
        secret = AgentSettings(CARLY.url, trusted_hosts=("api.example",))
        async with run_roster(tmp_path, {"carly": secret}) as run:
            await run.roster.remove("carly")
            assert await run.roster.add(None, CARLY) == "carly"
            assert run.settings_of("carly") == secret
            assert run.stored() == {"added": {}, "removed": {}}

    async def test_gives_its_name_but_not_its_settings_to_another_url(
        self, tmp_path: Path
    ) -> None:
        secret = AgentSettings(CARLY.url, trusted_hosts=("api.example",))
        async with run_roster(tmp_path, {"carly": secret}) as run:
            await run.roster.remove("carly")
            await run.roster.add("carly", TRAVEL)
            assert run.settings_of("carly") == TRAVEL

        async with run_roster(tmp_path, {"carly": secret}) as again:
            assert again.settings_of("carly") == TRAVEL

    async def test_cannot_be_removed_twice(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            await run.roster.remove("carly")
            with pytest.raises(UnknownAgent):
                await run.roster.remove("carly")

    async def test_removed_from_the_settings_while_the_host_was_down_is_reported(
        self, tmp_path: Path
    ) -> None:
        rows = {"walter": WALTER.url, "carly": CARLY.url}
        async with run_roster(tmp_path, {"carly": CARLY}, rows=rows) as run:
            await run.until(lambda: "is removed" in run.actions_of("walter"))
            assert "runs" not in run.actions_of("walter")
            assert "is removed" not in run.actions_of("carly")


class TestReload:
    async def test_restarts_only_changed_agents(self, tmp_path: Path) -> None:
        moved = AgentSettings("http://127.0.0.1:9002")
        async with run_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as run:
            await run.until(lambda: len(run.actions) == 2)
            now = {"carly": CARLY, "walter": moved, "travel": TRAVEL}
            difference = await run.roster.reload(now)
            await run.until(lambda: run.actions_of("travel") == ["runs"])
            await run.until(
                lambda: run.actions_of("walter") == ["runs", "ends", "runs"]
            )

            assert difference == (["travel"], [], ["walter"])
            assert run.actions_of("carly") == ["runs"]
            assert run.actions[-1][1:] != ("runs", WALTER.url)

    async def test_removes_an_agent_that_left_the_settings(
        self, tmp_path: Path
    ) -> None:
        async with run_roster(tmp_path, {"carly": CARLY, "walter": WALTER}) as run:
            assert (await run.roster.reload({"carly": CARLY})).removed == ["walter"]
            await run.until(lambda: "is removed" in run.actions_of("walter"))

    async def test_keeps_agents_added_at_run_time(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            await run.roster.add("trips", TRAVEL)
            assert await run.roster.reload({"carly": CARLY}) == ([], [], [])
            assert run.roster.names() == ["carly", "trips"]

    async def test_does_not_bring_back_a_removed_agent(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            await run.roster.remove("carly")
            await run.roster.reload({"carly": CARLY, "walter": WALTER})
            assert run.roster.names() == ["walter"]

    async def test_brings_back_a_removed_name_with_another_url(
        self, tmp_path: Path
    ) -> None:
        moved = AgentSettings("http://127.0.0.1:9001")
        async with run_roster(tmp_path, {"carly": CARLY}) as run:
            await run.roster.remove("carly")
            assert (await run.roster.reload({"carly": moved})).added == ["carly"]

    async def test_settings_win_over_an_agent_added_with_the_same_name(
        self, tmp_path: Path
    ) -> None:
        with_card = AgentSettings(TRAVEL.url, "/card.json")
        async with run_roster(tmp_path, {}) as run:
            await run.roster.add("trips", TRAVEL)
            assert (await run.roster.reload({"trips": with_card})).changed == ["trips"]
            assert run.stored()["added"] == {}


class TestStoredChanges:
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
    def test_unusable_file_is_reported_before_the_host_starts(
        self, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / FILE).write_text(text)
        with pytest.raises(
            ConfigError, match=r"agents\.json: cannot be used: .*Correct it"
        ):
            RosterRun(tmp_path, {})

    async def test_draft_left_by_a_crash_is_ignored(self, tmp_path: Path) -> None:
        async with run_roster(tmp_path, {}) as run:
            await run.roster.add("trips", TRAVEL)
        (tmp_path / "agents.new").write_text('{"added": {"tri')

        async with run_roster(tmp_path, {}) as again:
            assert again.roster.names() == ["trips"]
            await again.roster.remove("trips")

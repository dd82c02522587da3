"""What the host tells of itself: /metrics, /readyz, /debug.json and /debug, for real.

Its agents are carly and one that nobody can reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.doc_examples import examples_in, printed_by, prints
from tests.support.harness import ROOT, Stack, free_port, until
from tests.support.host_client import HostClient, watching

NOBODY = f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly"], extra_agents={"nobody": NOBODY}) as running:
        yield running


Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def figures(host: HostClient) -> Figures:
    answer = await host.http.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(found: Figures, name: str, **labels: str) -> float:
    return found[f"courtside_{name}", frozenset(labels.items())]


class TestMetrics:
    async def test_count_each_agents_events_as_the_feed_has_them(
        self, host: HostClient
    ) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")

        before = await host.head()
        found, told = await figures(host), await host.history(after=0, agent="carly")

        kinds = [event["kind"] for event in told]
        assert {"task", "agent"} <= set(kinds)
        for kind in set(kinds):
            counted = of(found, "events_total", agent="carly", kind=kind)
            assert counted == kinds.count(kind)
        # "nobody" is tried again meanwhile, and each try may be an event.
        assert before <= of(found, "feed_head_id") <= await host.head()

    async def test_say_which_agents_are_there_and_what_they_are_doing(
        self, host: HostClient
    ) -> None:
        found = await figures(host)

        assert of(found, "agent_connected", agent="carly") == 1
        assert of(found, "agent_connected", agent="nobody") == 0
        assert of(found, "updates_left_out_total", agent="carly") == 0

    async def test_count_open_tasks_while_they_are_open(self, host: HostClient) -> None:
        task_id = await host.start("carly")

        async def seen() -> bool:
            found = await figures(host)
            wanted = frozenset({("agent", "carly"), ("status", "running")})
            return found.get(("courtside_open_tasks", wanted)) == 1

        await until(seen, 10, "the open task to be counted")
        await host.row_with(task_id, "completed")

    async def test_time_the_log_and_the_event_loop(self, host: HostClient) -> None:
        async def measured() -> bool:
            found = await figures(host)
            return of(found, "event_loop_lag_seconds_count") > 0

        await until(measured, 10, "a measurement of the event loop")
        found = await figures(host)

        commits = of(found, "log_commit_seconds_count")
        assert commits > 0
        assert of(found, "log_commit_seconds_bucket", le="+Inf") == commits
        assert 0 < of(found, "log_commit_seconds_sum") < commits
        assert of(found, "log_failing") == of(found, "append_queue") == 0

    async def test_count_readers(self, host: HostClient, stack: Stack) -> None:
        before = of(await figures(host), "readers")

        async with watching(f"{stack.url}/feed"):
            found = await figures(host)

        assert of(found, "readers") == before + 1
        assert of(found, "readers_lagging") == 0

    async def test_show_the_process(self, host: HostClient) -> None:
        names = {name for name, _ in await figures(host)}

        assert {"process_cpu_seconds_total", "process_open_fds"} <= names

    async def test_are_openmetrics_for_those_who_ask(self, host: HostClient) -> None:
        asked = {"accept": "application/openmetrics-text; version=1.0.0"}

        answer = await host.http.get("/metrics", headers=asked)

        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")

    async def test_have_no_series_but_those_of_agents_that_are_followed(
        self, host: HostClient
    ) -> None:
        """Else whoever adds and removes agents could fill the host's memory."""
        await host.http.post("/agents", json={"url": f"{NOBODY}/x", "name": "passing"})
        await host.http.delete("/agents/passing")

        labels = {value for _, pairs in await figures(host) for _, value in pairs}

        assert "carly" in labels
        assert "passing" not in labels

    async def test_are_each_explained_in_the_documentation(
        self, host: HostClient
    ) -> None:
        text = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
        documented = set(re.findall(r"^\| `(courtside_\w+)", text, re.M))

        answer = await host.http.get("/metrics")

        served = {
            family.name + ("_total" if family.type == "counter" else "")
            for family in text_string_to_metric_families(answer.text)
            if family.name.startswith("courtside")
        }
        assert documented == served


def test_the_documentation_shows_what_its_commands_print(stack: Stack) -> None:
    examples = examples_in(ROOT / "docs/observability.md")

    addresses = {"http://localhost:8000": stack.url}
    printed = printed_by(examples, addresses, stack.folder)

    assert examples
    for example, output in zip(examples, printed, strict=True):
        assert prints(example, output), f"{example.command}printed: {output}"


class TestReadiness:
    async def test_is_there_as_soon_as_the_port_answers(self, host: HostClient) -> None:
        assert await host.get("/readyz") == {"status": "ready", "cause": None}


class TestTheInside:
    async def test_has_each_collector(self, host: HostClient) -> None:
        agents = {
            row["agent"]: row for row in (await host.get("/debug.json"))["agents"]
        }

        carly, nobody = agents["carly"], agents["nobody"]
        assert carly["connection"] == "connected"
        assert carly["interface"].startswith("JSONRPC 1.0 at http://127.0.0.1:")
        assert carly["followed"] == "streaming"
        assert carly["collector"]["budget"] > 1_000
        assert carly["collector"]["attempts"] == 0
        assert nobody["connection"] == "lost"
        assert nobody["collector"]["attempts"] > 0
        assert "refused" in nobody["cause"]

    async def test_has_the_tasks_that_are_followed_and_by_what(
        self, host: HostClient
    ) -> None:
        task_id = await host.start("carly")

        async def streamed() -> bool:
            agents = (await host.get("/debug.json"))["agents"]
            tasks = [task for row in agents for task in row["collector"]["tasks"]]
            return (task_id, "stream") in [(t["task_id"], t["way"]) for t in tasks]

        await until(streamed, 10, "the task to be followed by its stream")
        await host.row_with(task_id, "completed")

    async def test_has_each_reader_and_what_it_wants(
        self, host: HostClient, stack: Stack
    ) -> None:
        async with watching(f"{stack.url}/feed?agent=carly&kind=task&kind=gap"):
            inside = await host.get("/debug.json")

        reader = inside["furthest_behind"][0]
        assert inside["readers"] == len(inside["furthest_behind"])
        assert reader["filter"] == {"agent": ["carly"], "kind": ["gap", "task"]}
        assert (reader["lagging"], reader["lag"]) == (False, 0)
        assert reader["cursor"] == inside["feed"]["head"]

    async def test_has_the_feed_and_its_last_commit(self, host: HostClient) -> None:
        feed = (await host.get("/debug.json"))["feed"]

        assert (feed["first"], feed["queued"], feed["fault"]) == (1, 0, None)
        assert feed["ring_bytes"] > 0
        assert feed["last_commit"]["entries"] > 0
        assert feed["last_commit"]["took_s"] > 0

    async def test_is_a_page_without_script_that_says_the_same(
        self, host: HostClient, stack: Stack
    ) -> None:
        async with watching(f"{stack.url}/feed?agent=%3Cscript%3Ealert(1)"):
            answer = await host.http.get("/debug")

        assert answer.status_code == 200
        assert "JSONRPC 1.0 at" in answer.text
        assert "agent=&lt;script&gt;alert(1)" in answer.text
        assert "<script" not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]

    @pytest.mark.parametrize("door", ["/metrics", "/readyz", "/debug.json", "/debug"])
    async def test_is_never_kept_by_a_cache(self, host: HostClient, door: str) -> None:
        answer: httpx.Response = await host.http.get(door)

        assert answer.headers["cache-control"] == "no-store"

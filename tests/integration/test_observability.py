"""Observability: /metrics, /readyz, /debug.json and /debug of a real host.

It follows Carly and an agent that does not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT, free_port
from tests.support.host_client import HostClient, Json, watch_feed
from tests.support.stack import Stack
from tests.support.waiting import wait_until

NOBODY = f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    # Slow enough for a test to see a task while it runs.
    with Stack(
        folder, ["carly"], step_s=0.3, extra_agents={"nobody": NOBODY}
    ) as running:
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
    async def test_count_events_by_agent_and_kind(self, host: HostClient) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")

        before = await host.head()
        found, events = await figures(host), await host.history(after=0, agent="carly")

        kinds = [event["kind"] for event in events]
        assert {"task", "agent"} <= set(kinds)
        for kind in set(kinds):
            counted = of(found, "events_total", agent="carly", kind=kind)
            assert counted == kinds.count(kind)
        # The host still retries "nobody", and each attempt may add an event.
        assert before <= of(found, "feed_head_id") <= await host.head()

    async def test_show_the_connection_of_each_agent(self, host: HostClient) -> None:
        found = await figures(host)

        assert of(found, "agent_connected", agent="carly") == 1
        assert of(found, "agent_connected", agent="nobody") == 0
        assert of(found, "updates_left_out_total", agent="carly") == 0

    async def test_count_open_tasks(self, host: HostClient) -> None:
        task_id = await host.start("carly")

        async def seen() -> bool:
            found = await figures(host)
            wanted = frozenset({("agent", "carly"), ("status", "running")})
            return found.get(("courtside_open_tasks", wanted)) == 1

        await wait_until(seen, "the open task to be counted", 30)
        await host.row_with(task_id, "completed")

    async def test_measure_commits_and_the_event_loop(self, host: HostClient) -> None:
        async def measured() -> bool:
            found = await figures(host)
            return of(found, "event_loop_lag_seconds_count") > 0

        await wait_until(measured, "a measurement of the event loop", 30)
        found = await figures(host)

        commits = of(found, "log_commit_seconds_count")
        assert commits > 0
        assert of(found, "log_commit_seconds_bucket", le="+Inf") == commits
        assert 0 < of(found, "log_commit_seconds_sum") < commits
        assert of(found, "log_failing") == of(found, "append_queue") == 0

    async def test_count_readers(self, host: HostClient, stack: Stack) -> None:
        before = of(await figures(host), "readers")

        async def counted() -> bool:
            return of(await figures(host), "readers") == before + 1

        async with watch_feed(f"{stack.url}/feed"):
            await wait_until(counted, "the reader to be counted", 30)
            found = await figures(host)

        assert of(found, "readers_lagging") == 0

    async def test_show_the_process(self, host: HostClient) -> None:
        names = {name for name, _ in await figures(host)}

        assert {"process_cpu_seconds_total", "process_open_fds"} <= names

    async def test_are_openmetrics_on_request(self, host: HostClient) -> None:
        headers = {"accept": "application/openmetrics-text; version=1.0.0"}

        answer = await host.http.get("/metrics", headers=headers)

        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")

    async def test_have_series_only_for_followed_agents(self, host: HostClient) -> None:
        """Otherwise adding and removing agents would fill the host's memory."""
        await host.http.post("/agents", json={"url": f"{NOBODY}/x", "name": "passing"})
        await host.http.delete("/agents/passing")

        labels = {value for _, pairs in await figures(host) for _, value in pairs}

        assert "carly" in labels
        assert "passing" not in labels

    async def test_are_all_documented(self, host: HostClient) -> None:
        text = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
        documented = set(re.findall(r"^\| `(courtside_\w+)", text, re.M))

        answer = await host.http.get("/metrics")

        served = {
            family.name + ("_total" if family.type == "counter" else "")
            for family in text_string_to_metric_families(answer.text)
            if family.name.startswith("courtside")
        }
        assert documented == served


def test_page_shows_the_real_output_of_its_commands(stack: Stack) -> None:
    examples = examples_in(ROOT / "docs/observability.md")

    addresses = {"http://localhost:8000": stack.url}
    printed = run_examples(examples, addresses, stack.folder)

    assert examples
    for example, output in zip(examples, printed, strict=True):
        assert matches_output(example, output), f"{example.command}printed: {output}"


class TestReadiness:
    async def test_host_is_ready_as_soon_as_the_port_answers(
        self, host: HostClient
    ) -> None:
        assert await host.get("/readyz") == {"status": "ready", "cause": None}


class TestDebugState:
    async def test_has_each_collector(self, host: HostClient) -> None:
        async def agents_if_lost() -> dict[str, Json] | None:
            rows = (await host.get("/debug.json"))["agents"]
            agents = {row["agent"]: row for row in rows}
            return agents if agents["nobody"]["connection"] == "lost" else None

        agents = await wait_until(agents_if_lost, "the missing agent to be lost", 30)
        assert agents
        carly, nobody = agents["carly"], agents["nobody"]
        assert carly["connection"] == "connected"
        assert carly["interface"].startswith("JSONRPC 1.0 at http://127.0.0.1:")
        assert carly["followed"] == "streaming"
        assert carly["collector"]["budget"] > 1_000
        assert carly["collector"]["attempts"] == 0
        assert nobody["collector"]["attempts"] > 0
        assert "refused" in nobody["cause"]

    async def test_has_each_followed_task_and_its_source(
        self, host: HostClient
    ) -> None:
        task_id = await host.start("carly")

        async def streamed() -> bool:
            agents = (await host.get("/debug.json"))["agents"]
            tasks = [task for row in agents for task in row["collector"]["tasks"]]
            return (task_id, "stream") in [(t["task_id"], t["way"]) for t in tasks]

        await wait_until(streamed, "the task to be followed by its stream", 30)
        await host.row_with(task_id, "completed")

    async def test_has_each_reader_and_its_filter(
        self, host: HostClient, stack: Stack
    ) -> None:
        async def state_with_reader() -> Json | None:
            state: Json = await host.get("/debug.json")
            return state if state["furthest_behind"] else None

        async with watch_feed(f"{stack.url}/feed?agent=carly&kind=task&kind=gap"):
            state = await wait_until(state_with_reader, "the reader", 30)

        assert state
        reader = state["furthest_behind"][0]
        assert state["readers"] == len(state["furthest_behind"])
        assert reader["filter"] == {"agent": ["carly"], "kind": ["gap", "task"]}
        assert (reader["lagging"], reader["lag"]) == (False, 0)
        assert reader["cursor"] == state["feed"]["head"]

    async def test_has_the_feed_and_its_last_commit(self, host: HostClient) -> None:
        feed = (await host.get("/debug.json"))["feed"]

        assert (feed["first"], feed["queued"], feed["fault"]) == (1, 0, None)
        assert feed["ring_bytes"] > 0
        assert feed["last_commit"]["entries"] > 0
        assert feed["last_commit"]["took_s"] > 0

    async def test_is_also_a_page_without_scripts(
        self, host: HostClient, stack: Stack
    ) -> None:
        async def page_with_reader() -> httpx.Response | None:
            page: httpx.Response = await host.http.get("/debug")
            return page if "alert(1)" in page.text else None

        async with watch_feed(f"{stack.url}/feed?agent=%3Cscript%3Ealert(1)"):
            answer = await wait_until(page_with_reader, "the reader", 30)

        assert answer
        assert answer.status_code == 200
        assert "JSONRPC 1.0 at" in answer.text
        assert "agent=&lt;script&gt;alert(1)" in answer.text
        assert "<script" not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]

    @pytest.mark.parametrize("path", ["/metrics", "/readyz", "/debug.json", "/debug"])
    async def test_is_never_cached(self, host: HostClient, path: str) -> None:
        answer: httpx.Response = await host.http.get(path)

        assert answer.headers["cache-control"] == "no-store"

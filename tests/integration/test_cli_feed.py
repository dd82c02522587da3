"""Promises of `courtside tail`, `export`, `import` and `replay`, with a real host."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cli import (
    COURTSIDE,
    courtside,
    run_in_terminal,
    running,
)
from tests.support.harness import ROOT, Process, free_port
from tests.support.reply_server import Reply, reply_server
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

Json = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A host on which Carly has completed a task."""
    with Stack(tmp_path_factory.mktemp("stack"), ["carly", "walter"]) as running:
        complete_task(running, "carly", "Find a slot")
        yield running


@pytest.fixture(scope="module")
def saved(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("saved") / "run.ndjson"
    done = courtside("export", stack.url, "-o", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(read_events(file))} events in {file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    return file


def complete_task(stack: Stack, agent: str, text: str) -> None:
    """Wait until the agent completes a task."""
    part = [{"text": text}]
    message = {"messageId": text + agent, "role": "ROLE_USER", "parts": part}
    url = f"{stack.url}/a2a/{agent}/message:send"

    # The same messageId is not executed twice. The host may still be connecting.
    def sent() -> str | None:
        answer = httpx.post(url, json={"message": message})
        return answer.json()["task"]["id"] if answer.status_code == 200 else None

    task = wait_until_sync(sent, f"{agent} to take {text!r}", 30)
    assert task

    def over() -> bool:
        return any(
            row.get("status") == "completed" for row in events_in_log(stack, task=task)
        )

    wait_until_sync(over, "its end", 30)


def events_in_log(stack: Stack, **query: str) -> list[Json]:
    answer = httpx.get(f"{stack.url}/feed.ndjson", params={"after": "0", **query})
    return [json.loads(line) for line in answer.text.splitlines()]


class TestTail:
    def test_prints_the_whole_log_and_continues_after_the_host_restarts(
        self, stack: Stack
    ) -> None:
        with running("tail", stack.url, "--after=0", "--json") as tail:
            assert tail.stdout
            before = [json.loads(tail.stdout.readline()) for _ in events_in_log(stack)]
            stack.host.kill()
            stack.host.restart()
            complete_task(stack, "walter", "the weather please")
            new = events_in_log(stack)[len(before) :]
            after = [json.loads(tail.stdout.readline()) for _ in new]
            tail.send_signal(signal.SIGINT)
            rest, errors = tail.communicate(timeout=30)

        everything = [*before, *after, *map(json.loads, rest.splitlines())]
        assert everything == events_in_log(stack)[: len(everything)]
        assert [event["id"] for event in everything] == [*range(1, len(everything) + 1)]
        assert tail.returncode == 0
        assert "reconnecting" in errors
        assert "reconnected to" in errors
        epoch = httpx.get(f"{stack.url}/healthz").json()["epoch"]
        again = f"--json --after {epoch}-{everything[-1]['id']}\n"
        assert errors.endswith(f"Continue with: courtside tail {stack.url} {again}")

    def test_prints_the_current_state_first(self, stack: Stack) -> None:
        with running("tail", stack.url, "--agent=carly") as tail:
            assert tail.stdout
            first = tail.stdout.readline()

        assert first.split()[1:] == ["carly", "connected", "Carly", "streaming"]
        assert "\x1b" not in first

    def test_says_how_many_tasks_did_not_fit_in_the_snapshot(self) -> None:
        snapshot = {"reset": False, "agents": [], "tasks": [], "tasks_left_out": 20}
        reply = Reply(
            body=f"event: snapshot\nid: e-7\ndata: {json.dumps(snapshot)}\n\n",
            headers={"content-type": "text/event-stream"},
        )
        with (
            reply_server(lambda _: reply) as host,
            running("tail", host.url) as tail,
        ):
            assert tail.stderr
            assert tail.stderr.readline() == (
                "courtside: 20 older tasks did not fit in the snapshot; "
                "--after 0 prints all events\n"
            )

    def test_filters_events(self, stack: Stack) -> None:
        task = events_in_log(stack, agent="carly", kind="task")[0]["task_id"]
        wanted = events_in_log(stack, task=task, kind="artifact")
        filters = ("--agent=carly", f"--task={task}", "--kind=artifact")

        with running("tail", stack.url, "--after=0", "--json", *filters) as tail:
            assert tail.stdout
            found = [json.loads(tail.stdout.readline()) for _ in wanted]

        assert wanted
        assert found == wanted

    @pytest.mark.parametrize("no_color", ["", "1"])
    def test_prints_colours_in_a_terminal_unless_no_color_is_set(
        self, stack: Stack, no_color: str
    ) -> None:
        output = run_in_terminal(
            *("tail", stack.url, "--after=0", "--kind=task"),
            until=b"Found",
            NO_COLOR=no_color,
        )

        assert "━━━━━━━━━━" in output.decode()
        assert (b"\x1b[32m" in output) is (not no_color)
        assert (b"\x1b" in output) is (not no_color)

    def test_exits_with_0_when_the_pipe_closes(self, stack: Stack) -> None:
        with running("tail", stack.url, "--after=0", "--json") as tail:
            assert tail.stdout
            assert tail.stderr
            assert json.loads(tail.stdout.readline())["id"] == 1
            tail.stdout.close()

            assert tail.wait(30) == 0
            assert not tail.stderr.read()

    def test_prints_the_reason_for_a_refusal(self, stack: Stack) -> None:
        done = courtside("tail", stack.url, "--after", "yesterday")

        assert done.returncode == 1
        assert "'yesterday' is not a cursor" in done.stderr


class TestRecording:
    def test_has_every_event_of_the_host(self, stack: Stack, saved: Path) -> None:
        done = courtside(
            "export", stack.url, "--before", str(len(read_events(saved)) + 1)
        )

        assert done.stdout.encode() == saved.read_bytes()
        assert read_events(saved) == events_in_log(stack)[: len(read_events(saved))]

    def test_has_only_the_requested_events(self, stack: Stack) -> None:
        events = events_in_log(stack, agent="carly", kind="task")
        since, until = events[1]["received_at"], events[-2]["received_at"]

        done = courtside(
            "export",
            stack.url,
            "--agent=carly",
            "--kind=task",
            f"--since={since}",
            f"--until={until}",
            f"--after={events[0]['id']}",
        )

        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert found == [e for e in events[1:] if since <= e["received_at"] <= until]

    def test_is_never_overwritten(self, stack: Stack, saved: Path) -> None:
        before = saved.read_bytes()

        done = courtside("export", stack.url, "--output", saved)

        assert done.returncode == 1
        assert f"{saved}: cannot be created: File exists" in done.stderr
        assert saved.read_bytes() == before

    def test_import_creates_a_log_that_a_host_continues(
        self, saved: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "imported"
        done = courtside("import", saved, "--data-dir", folder)
        again = courtside("import", saved, "--data-dir", folder)
        with serve_with(tmp_path, f"--data-dir={folder}", "http://127.0.0.1:9") as url:
            back = courtside(
                "export", url, "--before", str(len(read_events(saved)) + 1)
            )

        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{len(read_events(saved))} events in {folder}\n")
        assert again.returncode == 1
        assert f"{folder} already exists" in again.stderr
        assert back.stdout.encode() == saved.read_bytes()

    def test_replay_keeps_ids_and_times(self, saved: Path, tmp_path: Path) -> None:
        cut = tmp_path / "cut.ndjson"
        cut.write_bytes(b"".join(saved.read_bytes().splitlines(keepends=True)[3:]))
        with serve_with(tmp_path, "replay", cut, "--speed=max") as url:
            assert not httpx.get(f"{url}/feed.ndjson").content
            with running("tail", url, "--after=0", "--json") as tail:
                assert tail.stdout
                seen = [json.loads(tail.stdout.readline()) for _ in read_events(cut)]
            page = httpx.get(url)
            health = httpx.get(f"{url}/healthz").json()

        assert seen == read_events(cut)
        assert seen[0]["id"] == 4
        assert health["head"] == seen[-1]["id"]
        assert "<title>Courtside" in page.text


def test_backup_of_a_log_in_use_can_be_restored_as_in_operations_md(
    stack: Stack, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    new_epoch = re.search(r'"(UPDATE bounds .*)"', page)
    assert new_epoch
    before = events_in_log(stack)
    folder = tmp_path / "restored"
    folder.mkdir()
    with (
        closing(sqlite3.connect(stack.data_dir / "feed.db")) as log,
        closing(sqlite3.connect(folder / "feed.db")) as copy,
    ):
        log.backup(copy)
        copy.execute(new_epoch[1])
        copy.commit()

    with serve_with(tmp_path, f"--data-dir={folder}", "http://127.0.0.1:9") as url:
        events = httpx.get(f"{url}/feed.ndjson?before={before[-1]['id'] + 1}").text
        health = httpx.get(f"{url}/healthz").json()
    assert [json.loads(line) for line in events.splitlines()] == before
    assert health["epoch"] != httpx.get(f"{stack.url}/healthz").json()["epoch"]


@contextmanager
def serve_with(folder: Path, *words: str | Path) -> Iterator[str]:
    """Run `courtside` with these words. Yields its URL."""
    port = free_port()
    words = (*words, f"--port={port}")
    process = Process("courtside", [*COURTSIDE, *words], folder=folder)
    process.start()
    url = f"http://127.0.0.1:{port}"
    process.wait_ready(f"{url}/healthz")
    yield url
    assert process.terminate() == 0


def read_events(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]

"""What becomes of an A2A update: which events, in which order, and what never.

host/translate.py, fed with the JSON that agents send.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from host import a2a
from host.event import TERMINAL, ArtifactEvent, Event, GapEvent, MessageEvent, TaskEvent
from host.progress import URI
from host.translate import Known, ended, message_event, missing, translate

NOW = "2026-11-23T12:00:00.000Z"
LATER = "2026-11-23T12:00:09.000Z"
Json = dict[str, Any]


def progress(percent: float) -> Json:
    return {URI: {"aggregate": {"progress": percent, "total": 100}}}


def said(text: str, message_id: str, percent: float | None = None) -> Json:
    """A message of the agent."""
    message: Json = {
        "messageId": message_id,
        "role": "ROLE_AGENT",
        "parts": [{"text": text}],
    }
    return message if percent is None else message | {"metadata": progress(percent)}


def status(
    state: str = "WORKING",
    message: Json | None = None,
    *,
    percent: float | None = None,
    at: str | None = None,
    context: str = "c1",
) -> Json:
    update: Json = {
        "taskId": "t1",
        "contextId": context,
        "status": {"state": f"TASK_STATE_{state}"},
    }
    if message:
        update["status"]["message"] = message
    if at:
        update["status"]["timestamp"] = at
    if percent is not None:
        update["metadata"] = progress(percent)
    return {"statusUpdate": update}


def chunk(*texts: str, artifact: str = "a1", append: bool = False) -> Json:
    return {
        "artifactUpdate": {
            "taskId": "t1",
            "contextId": "c1",
            "artifact": holding(artifact, *texts),
            "append": append,
        }
    }


def holding(artifact: str, *texts: str) -> Json:
    parts = [{"text": text} for text in texts]
    return {"artifactId": artifact, "name": "result", "parts": parts}


def snapshot(
    state: str = "WORKING",
    message: Json | None = None,
    *,
    history: list[Json] | None = None,
    artifacts: list[Json] | None = None,
    **more: Any,
) -> Json:
    task = status(state, message)["statusUpdate"]
    return {
        "task": {
            "id": "t1",
            "contextId": "c1",
            "status": task["status"],
            "history": history or [],
            "artifacts": artifacts or [],
            **more,
        }
    }


def take(known: Known, *updates: Json, at: str = NOW) -> list[Event]:
    """What the feed gets of these updates, one after the other."""
    events = []
    for update in updates:
        parsed = a2a.parse(json.dumps(update).encode())
        fresh = translate(known, parsed, at)
        known.note(fresh)
        events += fresh
    return events


def rows(events: list[Event]) -> list[TaskEvent]:
    return [event for event in events if isinstance(event, TaskEvent)]


def words(events: list[Event]) -> list[str | None]:
    return [row.message for row in rows(events)]


@pytest.fixture
def known() -> Known:
    return Known("carly", "t1")


def test_a_status_update_becomes_one_whole_row(known: Known) -> None:
    update = status(message=said("Checking…", "m1", 25), at="2026-11-23T11:59:59Z")

    assert take(known, update) == [
        TaskEvent(
            agent="carly",
            task_id="t1",
            context_id="c1",
            status="running",
            state="TASK_STATE_WORKING",
            progress=25,
            message="Checking…",
            message_id="m1",
            at="2026-11-23T11:59:59Z",
            received_at=NOW,
        )
    ]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("SUBMITTED", "submitted"),
        ("WORKING", "running"),
        ("COMPLETED", "completed"),
        ("FAILED", "error"),
        ("CANCELED", "cancelled"),
        ("REJECTED", "rejected"),
        ("INPUT_REQUIRED", "input-required"),
        ("AUTH_REQUIRED", "auth-required"),
        ("UNSPECIFIED", "unknown"),
        ("OF_A_LATER_PROTOCOL", "unknown"),
    ],
)
def test_each_state_has_the_lessons_word_or_a2as(
    known: Known, state: str, word: str
) -> None:
    [row] = rows(take(known, status(state)))

    assert (row.status, row.state) == (word, f"TASK_STATE_{state}")


def test_an_artifact_chunk_becomes_an_artifact_event(known: Known) -> None:
    last = chunk("three", append=True)
    last["artifactUpdate"]["lastChunk"] = True

    assert take(known, last) == [
        ArtifactEvent(
            agent="carly",
            task_id="t1",
            context_id="c1",
            artifact_id="a1",
            name="result",
            parts=[{"text": "three"}],
            append=True,
            last_chunk=True,
            received_at=NOW,
        )
    ]


def test_equal_chunks_one_after_the_other_are_both_told(known: Known) -> None:
    first, again = chunk("ha"), chunk("ha", append=True)

    assert len(take(known, first, again, again)) == 3


def test_an_answer_without_a_task_becomes_a_message_event() -> None:
    message = said("Hello", "m1") | {"contextId": "c7"}
    update = a2a.parse(json.dumps({"message": message}).encode())
    assert update.message

    assert message_event("carly", update.message, NOW) == MessageEvent(
        agent="carly",
        context_id="c7",
        message_id="m1",
        message="Hello",
        received_at=NOW,
    )


def test_the_same_status_twice_is_one_event(known: Known) -> None:
    update = status(message=said("Checking…", "m1", 25), at="2026-11-23T11:59:59Z")
    take(known, update)

    assert take(known, update, at=LATER) == []


def test_a_tick_without_words_keeps_the_words_before(known: Known) -> None:
    take(known, status(message=said("Checking…", "m1", 25)))

    [row] = rows(take(known, status(percent=30)))

    assert (row.progress, row.message) == (30, "Checking…")


def test_words_of_one_state_are_not_put_into_the_mouth_of_the_next(
    known: Known,
) -> None:
    take(known, status(message=said("Checking…", "m1")))

    [row] = rows(take(known, status("FAILED")))

    assert row.message is None


def test_a_context_once_told_stays(known: Known) -> None:
    take(known, status())

    [row] = rows(take(known, status("COMPLETED", context="")))

    assert row.context_id == "c1"


class TestProgress:
    def test_is_null_while_the_agent_does_not_say(self, known: Known) -> None:
        events = take(known, status("SUBMITTED"), status(), status("COMPLETED"))

        assert [row.progress for row in rows(events)] == [None, None, None]

    def test_is_not_made_100_by_the_end_of_a_task(self, known: Known) -> None:
        events = take(known, status(percent=50), status("COMPLETED"))

        assert rows(events)[-1].progress == 50

    def test_never_goes_back(self, known: Known) -> None:
        told = (25, 75, 50, 10, 80)

        events = take(
            known, *(status(message=said("…", f"m{p}"), percent=p) for p in told)
        )

        assert [row.progress for row in rows(events)] == [25, 75, 75, 75, 80]

    def test_is_read_from_the_update_or_from_its_message(self, known: Known) -> None:
        events = take(known, status(percent=10), status(message=said("…", "m", 20)))

        assert [row.progress for row in rows(events)] == [10, 20]

    def test_is_read_from_the_messages_of_a_snapshot(self, known: Known) -> None:
        task = snapshot(message=said("two", "m2", 40), history=[said("one", "m1", 20)])

        assert [row.progress for row in rows(take(known, task))] == [20, 40]

    def test_is_read_from_the_metadata_of_a_snapshot(self, known: Known) -> None:
        """There the SDK gathers the metadata of updates that had no message."""
        task = snapshot(message=said("Checking…", "m1", 40), metadata=progress(60))

        assert rows(take(known, task))[-1].progress == 60


class TestResult:
    def test_joins_the_chunks_of_one_artifact_as_they_were_sent(self) -> None:
        known = Known("carly", "t1")

        take(known, status("WORKING"), chunk("Dry and "), chunk("warm.", append=True))
        done = take(known, status("COMPLETED"))

        assert done[-1].result == "Dry and warm."  # type: ignore[union-attr]

    def test_is_the_text_of_the_artifacts(self, known: Known) -> None:
        events = take(
            known,
            chunk("Three slots", artifact="a1"),
            chunk("One court", artifact="a2"),
            status("COMPLETED", said("Done.", "m1")),
        )

        assert rows(events)[-1].result == "Three slots\n\nOne court"

    def test_is_the_last_words_where_there_is_no_artifact(self, known: Known) -> None:
        [row] = rows(take(known, status("COMPLETED", said("Done.", "m1"))))

        assert row.result == "Done."

    def test_of_a_replaced_artifact_is_the_new_text(self, known: Known) -> None:
        events = take(known, chunk("draft"), chunk("final"), status("COMPLETED"))

        assert rows(events)[-1].result == "final"

    def test_is_empty_where_there_is_nothing(self, known: Known) -> None:
        [row] = rows(take(known, status("COMPLETED")))

        assert row.result == ""

    @pytest.mark.parametrize("state", ["WORKING", "FAILED", "CANCELED", "REJECTED"])
    def test_is_there_on_completed_only(self, known: Known, state: str) -> None:
        events = take(known, chunk("half of it"), status(state))

        assert rows(events)[-1].result is UNSET


class TestSnapshot:
    def test_of_an_unknown_task_tells_its_past_its_artifacts_then_its_state(
        self, known: Known
    ) -> None:
        task = snapshot(
            "COMPLETED",
            said("Done.", "m3"),
            history=[said("one", "m1"), said("two", "m2")],
            artifacts=[holding("a1", "Three slots")],
        )

        events = take(known, task)

        assert [type(event) for event in events] == [
            *(TaskEvent, TaskEvent, ArtifactEvent, TaskEvent)
        ]
        assert words(events) == ["one", "two", "Done."]
        assert [row.status for row in rows(events)] == [
            *("running", "running", "completed")
        ]
        assert rows(events)[-1].result == "Three slots"

    def test_adds_only_the_history_that_the_feed_has_not(self, known: Known) -> None:
        take(known, status(message=said("one", "m1")))
        history = [said("one", "m1"), said("two", "m2"), said("three", "m3")]

        events = take(known, snapshot(message=said("four", "m4"), history=history))

        assert words(events) == ["two", "three", "four"]

    def test_of_what_is_known_already_adds_nothing(self, known: Known) -> None:
        take(known, chunk("Three"), status(message=said("one", "m1", 20)))
        task = snapshot(
            message=said("one", "m1", 20), artifacts=[holding("a1", "Three")]
        )

        assert take(known, task, at=LATER) == []

    def test_does_not_tell_what_people_said(self, known: Known) -> None:
        asked = said("When is everyone free?", "u1") | {"role": "ROLE_USER"}

        assert words(take(known, snapshot(history=[asked]))) == [None]

    def test_tells_of_an_artifact_what_follows_the_known_parts(
        self, known: Known
    ) -> None:
        take(known, chunk("one"), chunk("two", append=True))
        task = snapshot(artifacts=[holding("a1", "one", "two", "three", "four")])

        [artifact, _] = take(known, task)

        assert isinstance(artifact, ArtifactEvent)
        assert artifact.append
        assert artifact.parts == [{"text": "three"}, {"text": "four"}]

    def test_tells_an_unknown_artifact_from_its_start(self, known: Known) -> None:
        take(known, chunk("one"))
        task = snapshot(artifacts=[holding("a1", "one"), holding("a2", "two")])

        [artifact, _] = take(known, task)

        assert isinstance(artifact, ArtifactEvent)
        assert (artifact.artifact_id, artifact.append) == ("a2", False)

    def test_with_messages_that_have_no_id_adds_nothing_the_second_time(
        self, known: Known
    ) -> None:
        task = snapshot(history=[said("one", ""), said("two", "")])
        assert words(take(known, task))[:2] == ["one", "two"]

        assert take(known, task, at=LATER) == []


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELED", "REJECTED"])
@pytest.mark.parametrize(
    "late",
    [
        status(message=said("still here", "m9")),
        status("COMPLETED", said("done after all", "m9")),
        status("FAILED"),
        chunk("late"),
        snapshot("FAILED", history=[said("late", "m9")]),
    ],
    ids=["words", "completed", "failed", "artifact", "snapshot"],
)
def test_after_the_first_terminal_state_an_agent_has_nothing_to_add(
    known: Known, state: str, late: Json
) -> None:
    take(known, status(state))

    assert take(known, late) == []


@pytest.mark.parametrize("state", ["INPUT_REQUIRED", "AUTH_REQUIRED", "UNSPECIFIED"])
def test_a_task_that_waits_is_not_over(known: Known, state: str) -> None:
    take(known, status(state))

    assert [row.status for row in rows(take(known, status()))] == ["running"]


def test_translating_leaves_what_is_known_alone(known: Known) -> None:
    take(known, chunk("one"), status(message=said("one", "m1")))
    before = deepcopy(known)
    task = snapshot(
        "COMPLETED", history=[said("two", "m2")], artifacts=[holding("a1", "one", "2")]
    )

    translate(known, a2a.parse(json.dumps(task).encode()), NOW)

    assert known == before


def test_a_gap_names_the_task_and_says_why(known: Known) -> None:
    take(known, status())

    assert missing(known, "the stream broke", LATER) == GapEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        message="the stream broke",
        received_at=LATER,
    )


def test_a_task_that_its_agent_forgot_ends_as_error_and_keeps_its_progress(
    known: Known,
) -> None:
    take(known, status(message=said("Checking…", "m1", 25), at=NOW))

    row = ended(known, "carly restarted and no longer knows this task", LATER)

    assert row == TaskEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        status="error",
        state="TASK_STATE_FAILED",
        progress=25,
        message="carly restarted and no longer knows this task",
        at=None,
        received_at=LATER,
    )


# Few of each, so that updates repeat and contradict each other.
messages = st.builds(
    said,
    st.sampled_from(["", "one", "two"]),
    st.sampled_from(["", "m1", "m2", "m3"]),
    st.none() | st.integers(-20, 120),
)
states = st.sampled_from(
    [
        *("SUBMITTED", "WORKING", "WORKING", "INPUT_REQUIRED", "UNSPECIFIED"),
        *("COMPLETED", "FAILED", "CANCELED", "REJECTED"),
    ]
)
statuses = st.builds(
    status,
    states,
    st.none() | messages,
    percent=st.none() | st.integers(-20, 120),
    at=st.sampled_from([None, NOW, LATER]),
    context=st.sampled_from(["", "c1"]),
)
artifacts = st.builds(
    holding, st.sampled_from(["a1", "a2"]), st.sampled_from(["", "x", "y"])
)
snapshots = st.builds(
    snapshot,
    states,
    st.none() | messages,
    history=st.lists(messages, max_size=3),
    artifacts=st.lists(artifacts, max_size=2),
)
chunks = st.builds(
    chunk,
    st.sampled_from(["x", "y"]),
    artifact=st.sampled_from(["a1", "a2"]),
    append=st.booleans(),
)


@settings(derandomize=True, deadline=None)
@given(st.lists(statuses | snapshots | chunks, max_size=12))
def test_whatever_an_agent_sends_progress_never_falls_and_the_end_is_the_end(
    updates: list[Json],
) -> None:
    events = take(Known("carly", "t1"), *updates)

    told = [row.progress for row in rows(events)]
    first = next((i for i, p in enumerate(told) if p is not None), len(told))
    numbers = [p for p in told[first:] if p is not None]
    assert len(numbers) == len(told) - first, "progress was forgotten"
    assert numbers == sorted(numbers)
    assert all(0 <= number <= 100 for number in numbers)
    over = [
        i
        for i, event in enumerate(events)
        if isinstance(event, TaskEvent) and event.status in TERMINAL
    ]
    assert over in ([], [len(events) - 1])


@settings(derandomize=True, deadline=None)
@given(st.lists(statuses | snapshots | chunks, max_size=6), statuses | snapshots)
def test_the_same_status_or_snapshot_again_adds_nothing(
    before: list[Json], update: Json
) -> None:
    known = Known("carly", "t1")
    take(known, *before, update)

    assert take(known, update, at=LATER) == []

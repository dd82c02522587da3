"""Tests of the memory of a task's record: it has a limit, and nothing is lost."""

from __future__ import annotations

import pytest

from host.model.event import ArtifactEvent
from host.protocol import artifact_record, task_record
from host.protocol.artifact_record import SMALL_BYTES, RecordMemory, count_memory
from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    Json,
    add_updates,
    agent_message,
    chunk,
    make_artifact,
    rows,
    snapshot,
    status,
)

KILOBYTE = 1_000


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_record, "MAX_TASK_BYTES", 40 * KILOBYTE)
    monkeypatch.setattr(task_record, "MAX_AGENT_BYTES", 80 * KILOBYTE)
    monkeypatch.setattr(task_record, "MAX_START_BYTES", 10 * KILOBYTE)
    monkeypatch.setattr(artifact_record, "MAX_END_CHARS", KILOBYTE)


def record_with(memory: RecordMemory, *updates: Json) -> TaskRecord:
    record = TaskRecord("carly", "t1", memory=memory)
    add_updates(record, *updates)
    return record


def words(count: int, start: int = 0) -> list[str]:
    return [f"{number:09} " * 10 for number in range(start, start + count)]


def chunks(texts: list[str], artifact: str = "a1") -> list[Json]:
    return [chunk(text, artifact=artifact, append=True) for text in texts]


def test_large_artifact_is_kept_as_a_hash_with_its_start_and_end() -> None:
    memory, texts = RecordMemory(), words(1_000)
    record = record_with(memory, *chunks(texts))

    artifact = record.artifacts["a1"]
    assert artifact.digest and not artifact.parts
    assert artifact.text_bytes == len("".join(texts))
    assert artifact.read_text(10**9) == "".join(texts)[: 10 * KILOBYTE]
    assert artifact.end == "".join(texts)[-KILOBYTE:]
    assert memory.bytes == artifact.count_memory() < 12 * KILOBYTE


def test_result_has_no_text_after_the_start_of_a_shortened_artifact() -> None:
    memory = RecordMemory()
    record_with(memory, chunk("x" * 39_000))
    record_with(memory, chunk("x" * 39_000))
    record = record_with(memory, status(), *chunks(words(60)), chunk("x", artifact="b"))

    [row] = rows(add_updates(record, status("COMPLETED")))

    assert row.result == "".join(words(60))[:SMALL_BYTES]
    assert row.shortened == {"result": 6_000 + 3}
    assert row.result_artifacts == ["a1", "b"]


def test_small_artifact_keeps_its_parts() -> None:
    record = record_with(RecordMemory(), *chunks(words(10)))

    assert record.artifacts["a1"].digest is None


def test_task_of_the_agent_adds_exactly_what_the_feed_lacks() -> None:
    texts = words(1_200)
    record = record_with(RecordMemory(), status(), *chunks(texts[:1_000]))

    whole = make_artifact("a1", "".join(texts))
    events = add_updates(record, snapshot(artifacts=[whole]))
    again = add_updates(record, snapshot(artifacts=[whole]))

    [added] = [event for event in events if isinstance(event, ArtifactEvent)]
    assert added.append
    assert "".join(part["text"] for part in added.parts) == "".join(texts[1_000:])
    assert again == []


def test_changed_artifact_is_written_whole_and_once() -> None:
    record = record_with(RecordMemory(), status(), *chunks(words(1_000)))
    other = make_artifact("a1", "".join(words(1_000, start=5)))

    events = add_updates(record, snapshot(artifacts=[other]))
    again = add_updates(record, snapshot(artifacts=[other]))

    [added] = [event for event in events if isinstance(event, ArtifactEvent)]
    assert not added.append
    assert again == []


def test_whole_artifact_that_is_sent_again_is_not_written_again() -> None:
    text = "".join(words(1_000))
    record = record_with(RecordMemory(), status(), chunk(text))

    assert record.artifacts["a1"].digest
    assert add_updates(record, chunk(text)) == []
    assert len(add_updates(record, chunk(text + "."))) == 1


def test_result_starts_with_the_texts_of_large_artifacts() -> None:
    record = record_with(RecordMemory(), status(), *chunks(words(1_000)))
    add_updates(record, chunk("the second", artifact="a2"))

    [row] = add_updates(record, status("COMPLETED"))

    size = 1_000 * 100 + len("\n\nthe second")
    assert row.shortened == {"result": size}  # type: ignore[union-attr]
    assert row.result.startswith("".join(words(1)))  # type: ignore[union-attr]


def test_tasks_of_one_agent_share_a_limit_until_they_are_released() -> None:
    memory = RecordMemory()
    records = [record_with(memory, *chunks(words(90))) for _ in range(4)]

    assert [bool(each.artifacts["a1"].digest) for each in records] == [
        False,
        False,
        True,
        True,
    ]
    hashes = sum(each.artifacts["a1"].count_memory() for each in records[2:])
    assert hashes < memory.bytes <= 80 * KILOBYTE + hashes
    for each in records:
        each.release()
    assert memory.bytes == 0


def test_replaced_artifact_no_longer_counts() -> None:
    memory = RecordMemory()
    record = record_with(memory, *[chunk(*words(90))] * 1)
    before = memory.bytes

    for number in range(50):
        add_updates(record, chunk(*words(90, start=number)))

    assert memory.bytes == before
    assert record.artifacts["a1"].digest is None


def test_copy_of_a_record_counts_nothing() -> None:
    memory = RecordMemory()
    record = record_with(memory, *chunks(words(1_000)))
    copy, before = record.copy(), memory.bytes

    add_updates(copy, *chunks(words(10)))

    assert memory.bytes == before
    first, second = record.artifacts["a1"], copy.artifacts["a1"]
    assert second.text_bytes == first.text_bytes + 1_000


def test_artifacts_beyond_the_limit_are_written_but_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_record, "MAX_ARTIFACTS", 2)
    record = record_with(RecordMemory(), status())
    many = [chunk("x", artifact=f"a{number}") for number in range(4)]
    more = chunk("y", artifact="a3", append=True)

    assert len(add_updates(record, *many, more)) == 5
    assert len(record.artifacts) == 2
    artifacts = [make_artifact(f"a{number}", "x") for number in range(4)]
    assert add_updates(record, snapshot(artifacts=artifacts)) == []


def test_artifacts_are_not_compared_when_the_memory_is_full_of_hashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_record, "MAX_HASHED_BYTES", 100 * KILOBYTE)
    memory = RecordMemory()
    record = record_with(memory, status())
    many = [chunk(*words(90), artifact=f"a{number}") for number in range(100)]

    assert len(add_updates(record, *many)) == 100
    assert memory.bytes < 120 * KILOBYTE
    assert len(record.artifacts) < 100
    artifacts = [make_artifact(f"a{number}", *words(90)) for number in range(100)]
    assert add_updates(record, snapshot(artifacts=artifacts)) == []


def test_long_message_ids_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_record, "MAX_ID_BYTES", 6 * KILOBYTE)
    ids = [f"{number}".zfill(KILOBYTE) for number in range(20)]
    record = TaskRecord("carly", "t1")

    add_updates(record, *(status("WORKING", agent_message(i[-3:], i)) for i in ids))

    assert list(record.message_ids) == ids[-5:]


def test_tasks_of_one_agent_share_a_limit_of_ids_and_statuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_record, "MAX_AGENT_NOTES", 100 * KILOBYTE)
    monkeypatch.setattr(task_record, "SMALL_NOTES", 4 * KILOBYTE)
    memory = RecordMemory()
    records = [TaskRecord("carly", f"t{n}", memory=memory) for n in range(100)]
    sent = [
        status("WORKING", agent_message(f"{n}", f"m{n}"), at=at(n)) for n in range(30)
    ]
    events = add_updates(TaskRecord("carly", "t1"), *sent)

    for record in records:
        record.add(events)

    assert len(records[0].message_ids) == len(records[0].statuses) == 30
    assert list(records[-1].message_ids)[-3:] == ["m27", "m28", "m29"]
    assert all(3 <= len(record.statuses) < 15 for record in records[50:])
    assert memory.notes < (100 + 100 * 5) * KILOBYTE
    for record in records:
        record.release()
    assert memory.notes == 0


def at(second: int) -> str:
    return f"2026-11-23T12:00:{second:02}.000Z"


def test_oldest_message_ids_and_statuses_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_record, "MAX_MESSAGE_IDS", 3)
    monkeypatch.setattr(task_record, "MAX_STATUSES", 3)
    record = TaskRecord("carly", "t1")

    sizes = []
    for number in range(1, 5):
        message = agent_message(f"text {number}", f"m{number}")
        add_updates(
            record, status("WORKING", message, at=f"2026-11-28T12:00:0{number}Z")
        )
        sizes.append((len(record.message_ids), len(record.statuses)))

    assert sizes == [(1, 1), (2, 2), (3, 3), (2, 2)]
    assert list(record.message_ids) == ["m3", "m4"]
    assert min(record.statuses.values()) == "2026-11-28T12:00:03.000Z"


def test_small_artifacts_keep_their_parts_over_the_limit() -> None:
    size = SMALL_BYTES - count_memory([{"text": "x"}]) + 1
    many = [chunk("x" * size, artifact=f"a{number}") for number in range(20)]
    record = record_with(RecordMemory(), *many, chunk("x" * (size + 1), artifact="b"))

    is_hashed = {name: bool(one.digest) for name, one in record.artifacts.items()}
    assert is_hashed == dict.fromkeys(record.artifacts, False) | {"b": True}

"""Two open streams of one task carry the same updates: each counts once."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from host.merging import open_streams
from host.merging.chunks_ahead import MAX_AHEAD_CHARS, Repeat
from host.merging.open_streams import OpenStream, OpenStreams
from host.protocol.a2a_objects import StreamResponse
from host.protocol.a2a_parser import parse_response
from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import artifact_event


def chunk(text: str, **more: object) -> StreamResponse:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    body = {"artifactUpdate": {"artifact": artifact, "append": True, **more}}
    return parse_response(json.dumps(body).encode())


def status(state: str) -> StreamResponse:
    body = {"statusUpdate": {"status": {"state": f"TASK_STATE_{state}"}}}
    return parse_response(json.dumps(body).encode())


def is_repeat(
    streams: OpenStreams, stream: OpenStream, response: StreamResponse
) -> bool:
    stream.begin_batch()
    repeat = streams.take(stream, response)
    if repeat is Repeat.NO:
        streams.note_first(stream, response)
    return repeat is not Repeat.NO


@given(st.lists(st.sampled_from("ab")), st.data())
def test_each_update_counts_once_whichever_stream_is_ahead(
    texts: list[str], data: st.DataObject
) -> None:
    """Equal chunks are different updates."""
    streams = OpenStreams()
    queues = {streams.open(): list(texts), streams.open(): list(texts)}
    taken = []
    while any(queues.values()):
        stream = data.draw(st.sampled_from([s for s, q in queues.items() if q]))
        text = queues[stream].pop(0)
        if not is_repeat(streams, stream, chunk(text)):
            taken.append(text)

    assert sorted(taken) == sorted(texts)


def test_expected_updates_take_little_memory() -> None:
    streams = OpenStreams()
    slow, fast = streams.open(), streams.open()
    for text in "ab":
        assert not is_repeat(streams, fast, chunk(text * 1_000_000))

    assert all(len(key.content) < 100 for key in slow.expected)
    assert is_repeat(streams, slow, chunk("a" * 1_000_000))


def test_subscription_far_behind_a_task_is_no_longer_used() -> None:
    streams, record = OpenStreams(), TaskRecord("carly", "t1")
    subscription = streams.open(is_subscription=True)
    response = streams.open()

    def read(chars: int) -> list[bool]:
        event = artifact_event("x" * chars)
        streams.note_read(record, [event], has_gap=False, is_proof=False)
        return [subscription.is_too_late, response.is_too_late]

    assert read(MAX_AHEAD_CHARS) == [False, False]
    assert read(1) == [True, False]
    assert not subscription.read_ahead


def test_stream_a_little_behind_keeps_little_in_memory() -> None:
    streams = OpenStreams()
    slow, fast = streams.open(is_subscription=True), streams.open()
    event = artifact_event("begin")
    streams.note_read(
        TaskRecord("carly", "t1"), [event], has_gap=False, is_proof=False, reader=fast
    )
    texts = ["begin", *(f"{n}".zfill(9_999) for n in range(100))]
    for before, text in pairwise(texts):
        assert not is_repeat(streams, fast, chunk(text))
        assert is_repeat(streams, slow, chunk(before))

    assert not slow.is_too_late
    assert is_repeat(streams, slow, chunk(texts[-1]))


def test_slow_stream_repeats_what_a_closed_one_had_first() -> None:
    streams = OpenStreams()
    slow, fast = streams.open(), streams.open()
    for text in "ab":
        assert not is_repeat(streams, fast, chunk(text))
    streams.close(fast)

    assert is_repeat(streams, slow, chunk("a"))
    assert is_repeat(streams, slow, chunk("b"))
    assert not is_repeat(streams, slow, chunk("b"))


def test_stream_past_the_expected_updates_expects_them_no_more() -> None:
    """The agent forgot this subscriber for a while."""
    streams = OpenStreams()
    forgotten, reply = streams.open(), streams.open()
    assert not is_repeat(streams, reply, chunk("a"))
    streams.close(reply)

    assert not is_repeat(streams, forgotten, chunk("b"))
    assert not is_repeat(streams, forgotten, chunk("a"))


def test_update_is_the_same_without_the_ids_of_its_task() -> None:
    streams = OpenStreams()
    one, other = streams.open(), streams.open()

    assert not is_repeat(streams, one, chunk("a", taskId="t1", contextId="c1"))
    assert is_repeat(streams, other, chunk("a"))


def test_task_is_never_a_repeat() -> None:
    streams = OpenStreams()
    task = parse_response(b'{"task": {"id": "t1"}}')

    assert not is_repeat(streams, streams.open(), task)
    assert not is_repeat(streams, streams.open(), task)


def test_equal_chunk_from_before_a_stream_began_may_be_a_new_one() -> None:
    """The agent may have sent the first one before it opened the second stream."""
    streams = OpenStreams()
    first, second = streams.open(), streams.open()
    first.begin_batch()
    assert not is_repeat(streams, first, chunk("a"))
    streams.close(first)

    second.begin_batch()
    assert streams.take(second, chunk("a")) is Repeat.PERHAPS


def test_chunk_of_a_stream_that_began_late_is_left_to_the_others() -> None:
    """It may come before or after those that the others have not brought yet."""
    streams = OpenStreams()
    first, second = streams.open(), streams.open()
    assert not is_repeat(streams, first, chunk("a"))
    second.begin_batch()

    assert streams.take(second, chunk("b")) is Repeat.PERHAPS
    assert not is_repeat(streams, first, chunk("b"))


def test_status_shows_where_a_stream_began() -> None:
    streams = OpenStreams()
    first, second = streams.open(), streams.open()
    for update in (chunk("a"), status("WORKING"), chunk("b")):
        assert not is_repeat(streams, first, update)

    assert is_repeat(streams, second, status("WORKING"))
    assert is_repeat(streams, second, chunk("b"))
    assert not is_repeat(streams, second, chunk("a"))


def test_equal_chunk_is_a_repeat_once_the_stream_is_in_step() -> None:
    streams = OpenStreams()
    first, second = streams.open(), streams.open()
    for stream in (first, second):
        is_repeat(streams, stream, status("WORKING"))
    assert not is_repeat(streams, first, chunk("a"))

    assert streams.take(second, chunk("a")) is Repeat.YES


def test_chunks_that_a_stream_has_passed_are_expected_no_more() -> None:
    streams = OpenStreams()
    first, second = streams.open(), streams.open()
    is_repeat(streams, second, status("WORKING"))
    for update in (status("WORKING"), chunk("a"), chunk("b")):
        is_repeat(streams, first, update)
    assert is_repeat(streams, second, chunk("b"))

    assert not is_repeat(streams, second, chunk("a"))


def read_task(streams: OpenStreams, text: str, *, reader: OpenStream) -> None:
    """Let a Task add a text to the feed."""
    record, events = TaskRecord("carly", "t1"), [artifact_event(text)]
    record.add(events)
    streams.note_read(record, events, has_gap=False, is_proof=True, reader=reader)


def test_each_stream_may_repeat_what_a_task_has_added() -> None:
    streams = OpenStreams()
    one, other, reader = streams.open(), streams.open(), streams.open()
    one.begin_batch()
    other.begin_batch()
    read_task(streams, "ab", reader=reader)

    for stream in (one, other):
        assert is_repeat(streams, stream, chunk("a"))
        assert is_repeat(streams, stream, chunk("b"))
        assert stream.expects_nothing
    assert not is_repeat(streams, reader, chunk("b"))


def test_task_shows_where_a_stream_with_equal_chunks_is() -> None:
    """Its first chunk equals one that the agent sent before the stream began."""
    streams = OpenStreams()
    first, second = streams.open(), streams.open()
    for text in "abab":
        assert not is_repeat(streams, first, chunk(text))
    streams.close(first)
    second.begin_batch()
    assert streams.take(second, chunk("a")) is Repeat.PERHAPS  # The fifth chunk.

    record = TaskRecord("carly", "t1")
    record.add([artifact_event("ababa"), artifact_event("c")])
    streams.note_read(
        record, [artifact_event("ac")], has_gap=False, is_proof=True, reader=None
    )

    assert streams.take(second, chunk("c")) is Repeat.PERHAPS
    streams.note_read(record, [], has_gap=False, is_proof=True, reader=None)
    assert not is_repeat(streams, second, chunk("d"))
    assert second.is_in_step


def test_stream_behind_a_task_keeps_what_it_is_expected_to_bring() -> None:
    """Another stream is ahead of the Task."""
    streams = OpenStreams()
    ahead, behind = streams.open(), streams.open()
    is_repeat(streams, ahead, status("WORKING"))
    read_task(streams, "a", reader=ahead)
    assert not is_repeat(streams, ahead, chunk("b"))

    assert is_repeat(streams, behind, status("WORKING"))
    assert is_repeat(streams, behind, chunk("a"))
    assert is_repeat(streams, behind, chunk("b"))


def test_stream_too_far_behind_is_no_longer_used() -> None:
    streams = OpenStreams()
    ahead, behind = streams.open(), streams.open()
    for number in range(open_streams.MAX_EXPECTED + 1):
        is_repeat(streams, ahead, chunk(str(number)))

    assert behind.is_too_late
    assert is_repeat(streams, behind, status("WORKING"))
    assert not ahead.is_too_late

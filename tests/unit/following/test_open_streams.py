"""Two open streams of one task carry the same updates: each counts once."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from host.following import open_streams
from host.following.open_streams import OpenStreams
from host.protocol.a2a_objects import StreamResponse
from host.protocol.a2a_parser import parse_response


def chunk(text: str, **more: object) -> StreamResponse:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    body = {"artifactUpdate": {"artifact": artifact, "append": True, **more}}
    return parse_response(json.dumps(body).encode())


def status(state: str) -> StreamResponse:
    body = {"statusUpdate": {"status": {"state": f"TASK_STATE_{state}"}}}
    return parse_response(json.dumps(body).encode())


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
        if not streams.is_repeat(stream, chunk(text)):
            taken.append(text)

    assert sorted(taken) == sorted(texts)


def test_slow_stream_repeats_what_a_closed_one_had_first() -> None:
    streams = OpenStreams()
    slow, fast = streams.open(), streams.open()
    for text in "ab":
        assert not streams.is_repeat(fast, chunk(text))
    streams.close(fast)

    assert streams.is_repeat(slow, chunk("a"))
    assert streams.is_repeat(slow, chunk("b"))
    assert not streams.is_repeat(slow, chunk("b"))


def test_stream_past_the_expected_updates_expects_them_no_more() -> None:
    """The agent forgot this subscriber for a while."""
    streams = OpenStreams()
    forgotten, reply = streams.open(), streams.open()
    assert not streams.is_repeat(reply, chunk("a"))
    streams.close(reply)

    assert not streams.is_repeat(forgotten, chunk("b"))
    assert not streams.is_repeat(forgotten, chunk("a"))


def test_update_is_the_same_without_the_ids_of_its_task() -> None:
    streams = OpenStreams()
    one, other = streams.open(), streams.open()

    assert not streams.is_repeat(one, chunk("a", taskId="t1", contextId="c1"))
    assert streams.is_repeat(other, chunk("a"))


def test_task_is_never_a_repeat() -> None:
    streams = OpenStreams()
    task = parse_response(b'{"task": {"id": "t1"}}')

    assert not streams.is_repeat(streams.open(), task)
    assert not streams.is_repeat(streams.open(), task)


def test_stream_too_far_behind_is_no_longer_used() -> None:
    streams = OpenStreams()
    ahead, behind = streams.open(), streams.open()
    for number in range(open_streams.MAX_EXPECTED + 1):
        streams.is_repeat(ahead, chunk(str(number)))

    assert behind.is_too_late
    assert streams.is_repeat(behind, status("WORKING"))
    assert not ahead.is_too_late

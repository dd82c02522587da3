"""The chunks of a stream that a Task had first count once."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from host.merging.chunks_ahead import MAX_CHECKS, ChunksAhead, Repeat
from host.protocol.a2a_objects import StreamResponse
from host.protocol.a2a_parser import parse_response
from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import artifact_event

NO, PERHAPS, YES = Repeat.NO, Repeat.PERHAPS, Repeat.YES


def chunk(text: str, *, append: bool = True) -> StreamResponse:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    body = {"artifactUpdate": {"artifact": artifact, "append": append}}
    return parse_response(json.dumps(body).encode())


def begun(text: str) -> ChunksAhead:
    """Of a stream that began with a Task."""
    ahead, record = ChunksAhead(), TaskRecord("carly", "t1")
    record.add([artifact_event(text)])
    ahead.begin(record)
    return ahead


def read(text: str, *, is_whole: bool) -> ChunksAhead:
    """Of an open stream while the Task was read."""
    ahead = ChunksAhead()
    ahead.note([artifact_event(text)], is_whole=is_whole, is_proof=True)
    return ahead


def take(ahead: ChunksAhead, texts: str) -> list[Repeat]:
    return [ahead.take(chunk(text)) for text in texts]


@given(st.lists(st.sampled_from("ab"), max_size=8), st.integers(0, 8), st.data())
def test_stream_that_began_before_its_task_adds_each_chunk_once(
    sent: list[str], overlap: int, data: st.DataObject
) -> None:
    """Each chunk that may be a repeat is checked: the Task of that moment is read."""
    start = data.draw(st.integers(0, len(sent)))
    feed = "".join(sent[:start])
    ahead = begun(feed)
    for place in range(max(0, start - overlap), len(sent)):
        repeat = ahead.take(chunk(sent[place]))
        if repeat is NO:
            assert place >= len(feed)
            feed += sent[place]
        elif repeat is PERHAPS:
            size = data.draw(st.integers(max(len(feed), place + 1), len(sent)))
            added = "".join(sent[len(feed) : size])
            events = [artifact_event(added)] if added else []
            ahead.note(events, is_whole=False, is_proof=True)
            feed += added
        else:
            assert place < len(feed)

    assert feed == "".join(sent)


def test_stream_behind_a_task_may_begin_anywhere_in_it() -> None:
    ahead = read("aabac", is_whole=False)

    assert take(ahead, "a") == [PERHAPS]
    ahead.note([], is_whole=False, is_proof=True)
    assert take(ahead, "bac") == [YES, YES, YES]
    assert not ahead


def test_chunk_that_the_last_task_had_is_no_new_one() -> None:
    ahead = read("ab", is_whole=False)

    assert ahead.take(chunk("b"), is_in_task=True) is YES
    assert take(ahead, "b") == [NO]


def test_stream_in_step_brings_all_that_a_task_has_added() -> None:
    assert take(read("aa", is_whole=True), "aaa") == [YES, YES, NO]


def test_first_chunk_of_an_artifact_is_at_its_start() -> None:
    assert read("ab", is_whole=True).take(chunk("a", append=False)) is YES
    assert read("ab", is_whole=True).take(chunk("b", append=False)) is NO


def test_new_update_shows_that_the_stream_is_past_its_task() -> None:
    ahead = begun("ab")
    ahead.pass_start()

    assert not ahead
    assert take(ahead, "b") == [NO]


def test_other_parts_than_text_are_compared_too() -> None:
    ahead, record = ChunksAhead(), TaskRecord("carly", "t1")
    data = artifact_event("")
    data.parts[:] = [{"data": {"n": 1}}]
    record.add([data])
    ahead.begin(record)
    artifact = {"artifactId": "a", "parts": [{"data": {"n": 1}}]}
    body = {"artifactUpdate": {"artifact": artifact, "append": True}}

    assert ahead.take(parse_response(json.dumps(body).encode())) is PERHAPS


def test_chunk_of_another_stream_is_a_repeat_once_this_one_brings_it() -> None:
    ahead = read("ab", is_whole=True)
    assert ahead.add(chunk("c"))

    assert take(ahead, "abcc") == [YES, YES, YES, NO]
    assert not ahead.add(chunk("d"))


def test_chunks_of_another_stream_show_whether_equal_ones_are_new() -> None:
    ahead = begun("ab")
    assert take(ahead, "ab") == [PERHAPS, PERHAPS]
    ahead.add(chunk("a"))
    ahead.add(chunk("b"))

    assert take(ahead, "c") == [NO]


def test_endless_equal_chunks_are_not_checked_for_ever() -> None:
    ahead = begun("a")
    for _ in range(MAX_CHECKS):
        assert take(ahead, "a") == [PERHAPS]
        ahead.note([artifact_event("a")], is_whole=False, is_proof=True)

    assert take(ahead, "a") == [NO]

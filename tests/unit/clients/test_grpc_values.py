"""Tests of host/clients/bindings/grpc_values.py: counting without parsing."""

from __future__ import annotations

from typing import cast

import pytest
from a2a.types import a2a_pb2 as pb
from google.protobuf.descriptor import Descriptor

from host.clients.bindings.grpc_values import count_values

TASK = cast(Descriptor, pb.Task.DESCRIPTOR)


def test_fields_of_submessages_are_counted() -> None:
    task = pb.Task(id="t", status=pb.TaskStatus(state=pb.TASK_STATE_WORKING))

    assert count_values(task.SerializeToString(), TASK, 100) == 3


def test_long_text_is_one_value() -> None:
    data = pb.Task(id="t" * 100_000).SerializeToString()

    assert count_values(data, TASK, 100) == 1


def test_empty_submessages_and_nested_lists_are_counted() -> None:
    task = pb.Task(history=[pb.Message()] * 50)
    task.metadata["lists"] = [[]] * 50

    assert count_values(task.SerializeToString(), TASK, 1_000) > 150


def test_counting_ends_at_the_limit() -> None:
    data = pb.Task(history=[pb.Message()] * 5_000).SerializeToString()

    assert count_values(data, TASK, 100) == 101


@pytest.mark.parametrize(
    "data", [b"\xff" * 20, b"\x0a", b"\x0a\xff\xff\xff\xff\x0fx", b"\x0f\x0f", b"\x09"]
)
def test_data_that_is_no_protobuf_is_counted_to_its_fault(data: bytes) -> None:
    assert 1 <= count_values(data, TASK, 100) <= 20

"""Tests the conversion of A2A 0.3 to 1.0 against the SDK's models and conversions."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from a2a.compat.v0_3 import conversions, types
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st

from host.model.timestamps import parse_timestamp
from host.protocol.a2a_objects import StreamResponse
from host.protocol.a2a_parser import parse_response
from host.protocol.v03_to_v10 import STATES, convert_result

Json = dict[str, Any]

IDS = st.text("abc-1é", min_size=1, max_size=5)
TEXTS = st.text('aä😀 \n"', max_size=5)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), TEXTS)
METADATA = st.dictionaries(IDS, st.one_of(SCALARS, st.lists(SCALARS)), max_size=3)


def objects(required: Json, optional: Json) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(required, optional=optional)


FILES = st.one_of(
    objects({"bytes": st.sampled_from(["", "YQ==", "YWJj"])}, {"name": IDS}),
    objects({"uri": IDS}, {"mimeType": IDS, "name": IDS}),
)
PARTS = st.one_of(
    objects({"kind": st.just("text"), "text": TEXTS}, {"metadata": METADATA}),
    objects({"kind": st.just("file"), "file": FILES}, {"metadata": METADATA}),
    objects({"kind": st.just("data"), "data": METADATA}, {"metadata": METADATA}),
    objects(
        {
            "kind": st.just("data"),
            "data": st.fixed_dictionaries({"value": SCALARS}),
            "metadata": st.just({"data_part_compat": True, "more": "x"}),
        },
        {},
    ),
)
MESSAGES = objects(
    {
        "kind": st.just("message"),
        "messageId": IDS,
        "role": st.sampled_from(["user", "agent"]),
        "parts": st.lists(PARTS, max_size=2),
    },
    {
        "contextId": IDS,
        "taskId": IDS,
        "metadata": METADATA,
        "extensions": st.lists(IDS, max_size=2),
        "referenceTaskIds": st.lists(IDS, max_size=2),
    },
)
STAMPS = st.sampled_from(["2026-11-22T12:00:00Z", "2026-11-22T12:00:00.123456+02:00"])
STATUSES = objects(
    {"state": st.sampled_from([*STATES, "unknown"])},
    {"message": MESSAGES, "timestamp": STAMPS},
)
ARTIFACTS = objects(
    {"artifactId": IDS, "parts": st.lists(PARTS, max_size=2)},
    {"name": IDS, "description": TEXTS, "metadata": METADATA},
)
TASKS = objects(
    {"kind": st.just("task"), "id": IDS, "contextId": IDS, "status": STATUSES},
    {
        "artifacts": st.lists(ARTIFACTS, max_size=2),
        "history": st.lists(MESSAGES, max_size=2),
        "metadata": METADATA,
    },
)
UPDATES = st.one_of(
    objects(
        {
            "kind": st.just("status-update"),
            "taskId": IDS,
            "contextId": IDS,
            "status": STATUSES,
            "final": st.booleans(),
        },
        {"metadata": METADATA},
    ),
    objects(
        {
            "kind": st.just("artifact-update"),
            "taskId": IDS,
            "contextId": IDS,
            "artifact": ARTIFACTS,
        },
        {"append": st.booleans(), "lastChunk": st.booleans(), "metadata": METADATA},
    ),
)
RESULTS = st.one_of(MESSAGES, TASKS, UPDATES)
MODELS: dict[str, Any] = {
    "message": types.Message,
    "task": types.Task,
    "status-update": types.TaskStatusUpdateEvent,
    "artifact-update": types.TaskArtifactUpdateEvent,
}


def by_the_sdk(result: Json) -> StreamResponse:
    model = MODELS[result["kind"]].model_validate(result)
    success = types.SendStreamingMessageSuccessResponse.model_construct(result=model)
    return parse_response(
        MessageToJson(conversions.to_core_stream_response(success)).encode()
    )


def by_us(result: Json) -> StreamResponse:
    return parse_response(msgspec.json.encode(convert_result(result)))


def comparable(response: StreamResponse) -> Any:
    """Return the response with parsed times. The SDK formats times differently."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: parse_timestamp(inner)
                if key == "timestamp" and inner
                else walk(inner)
                for key, inner in value.items()
            }
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk(msgspec.to_builtins(response))


@given(RESULTS)
def test_every_result_is_converted_like_the_sdk_does(result: Json) -> None:
    assert comparable(by_us(result)) == comparable(by_the_sdk(result))


@given(RESULTS)
def test_kind_of_a_result_is_inferred(
    result: Json,
) -> None:
    without = {key: value for key, value in result.items() if key != "kind"}
    assert by_us(without) == by_us(result)


@given(
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "kind",
                        "status",
                        "message",
                        "parts",
                        "artifact",
                        "file",
                        "id",
                        "taskId",
                        "messageId",
                        "history",
                        "role",
                        "data",
                    ]
                ),
                inner,
            ),
        ),
    )
)
def test_any_json_is_converted_or_raises_value_error(value: Any) -> None:
    for kind in (None, *MODELS):
        body = value if isinstance(value, dict) else {"task": value}
        with contextlib.suppress(ValueError):
            by_us({**body, **({"kind": kind} if kind else {})})


@pytest.mark.parametrize("wrapper", ["task", "result"])
def test_task_in_one_more_object_is_found(wrapper: str) -> None:
    task = {"id": "t", "contextId": "c", "status": {"state": "working"}}
    assert by_us({wrapper: task}) == by_us({"kind": "task", **task})

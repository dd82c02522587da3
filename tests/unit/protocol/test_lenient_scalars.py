"""Values of a wrong type are read as what they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.protocol.a2a_objects import ArtifactUpdate, StatusUpdate
from host.protocol.a2a_parser import parse_response

IDS = {"taskId": "t", "contextId": "c"}
TRUE = ["true", "True", " TRUE ", "1", 1]
FALSE = ["false", "False", "0", "", "none", "null", 0]


def parse_chunk(artifact: dict[str, Any], **flags: object) -> ArtifactUpdate:
    body = {"artifactUpdate": {**IDS, "artifact": artifact, **flags}}
    update = parse_response(json.dumps(body).encode()).artifact_update
    assert update
    return update


@pytest.mark.parametrize(
    ("value", "flag"), [(v, True) for v in TRUE] + [(v, False) for v in FALSE]
)
def test_flag_is_read_in_any_form(value: object, flag: bool) -> None:
    artifact = {"artifactId": "a", "parts": [{"text": "hi"}]}
    update = parse_chunk(artifact, append=value, last_chunk=value)

    assert (update.append, update.last_chunk) == (flag, flag)


def test_flag_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="append"):
        parse_chunk({"artifactId": "a", "parts": [{"text": "hi"}]}, append="maybe")


@pytest.mark.parametrize(
    ("value", "text"), [(12, "12"), (1.5, "1.5"), (True, "true"), (0, "0")]
)
def test_number_is_read_as_text_where_text_belongs(value: object, text: str) -> None:
    artifact = {"artifactId": 7, "name": value, "parts": [{"text": value}]}
    read = parse_chunk(artifact, lastChunk=True).artifact

    assert (read.artifact_id, read.name, read.parts[0].text) == ("7", text, text)


def test_free_form_values_keep_their_types() -> None:
    free = {"append": "false", "text": 12, "taskId": 3, "deep": [{"final": "0"}]}
    part = {"data": free, "metadata": free}
    artifact = {"artifactId": "a", "parts": [part], "metadata": free}
    read = parse_chunk(artifact, append="true", metadata=free)

    assert read.metadata == free
    assert read.artifact.metadata == free
    assert (read.artifact.parts[0].data, read.artifact.parts[0].metadata) == (
        free,
        free,
    )


@pytest.mark.parametrize("state", ["2", 2, "2 "])
def test_state_is_read_as_a_number_in_text(state: object) -> None:
    body = {"statusUpdate": {**IDS, "status": {"state": state}, "final": "false"}}
    update = parse_response(json.dumps(body).encode()).status_update

    assert isinstance(update, StatusUpdate)
    assert update.status.state == "TASK_STATE_WORKING"

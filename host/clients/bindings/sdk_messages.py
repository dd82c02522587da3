"""Owns what is left to the SDK: its protobuf messages, of either version, as Updates.

The bindings that no figure hangs on read through it: gRPC, and HTTP+JSON of 0.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as old_types
from a2a.compat.v0_3.proto_utils import FromProto
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError
from google.protobuf import json_format
from google.protobuf.message import Message

from ...protocol import lenient_json
from ...protocol.a2a_parser import parse_response
from .types import Update


@contextmanager
def odd_as_value_error() -> Iterator[None]:
    """What the SDK stumbles over is one odd item, not the end of a stream."""
    try:
        yield
    except (
        *(json_format.Error, A2AError, TypeError),
        *(AttributeError, LookupError, RecursionError),
    ) as error:
        raise ValueError(str(error)[:200]) from error


def update_of(response: pb.StreamResponse) -> Update:
    """Raises ValueError where it is none that the host can use."""
    with odd_as_value_error():
        as_json = json_format.MessageToJson(response, indent=None, ensure_ascii=False)
    raw = as_json.encode()
    return Update(parse_response(raw), raw)


def update_of_old(response: old.StreamResponse) -> Update:
    """The same from A2A 0.3."""
    with odd_as_value_error():
        result = FromProto.stream_response(response)
        success = old_types.SendStreamingMessageSuccessResponse(result=result)
        return update_of(conversions.to_core_stream_response(success))


def read_old(body: bytes, message: Message) -> None:
    """Fills a message of 0.3 from its JSON. Raises ValueError."""
    with odd_as_value_error():
        json_format.ParseDict(
            lenient_json.decode(body), message, ignore_unknown_fields=True
        )

"""Counts the bytes of one request, and says which limit the request exceeds."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import CourtsideError

MAX_HEAD_BYTES = 64 * 1024
MAX_FRAMING_BYTES = 16 * 1024  # 3,000 chunks of one byte take 10 ms.
MAX_HEADERS = 256
MAX_URL_BYTES = 16 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024
BODY_PER_FRAMING = 8  # A chunked body may have one byte of chunk headers for 8 of data.
# Endpoints refuse a body over MAX_BODY_BYTES with an error of their own. The rest is
# what the connection has received by then.
MAX_RECEIVED_BODY_BYTES = MAX_BODY_BYTES + 512 * 1024


class RequestRefused(CourtsideError):
    """The request exceeds a limit, or is not valid. `status` is the HTTP status."""

    def __init__(self, status: int, cause: str) -> None:
        super().__init__(cause)
        self.status = status


def check_version(version: str) -> None:
    """Raise RequestRefused for another HTTP version than 1.0 and 1.1."""
    if version not in ("1.0", "1.1"):
        raise RequestRefused(505, f"HTTP/{version} is not supported: send HTTP/1.1")


@dataclass
class RequestMeter:
    """Each method raises RequestRefused when its limit is exceeded."""

    _url_bytes: int = 0
    _headers: int = 0
    _head_bytes: int = 0
    _framing_bytes: int = 0
    _body_bytes: int = 0

    def count_url(self, size: int) -> None:
        self._url_bytes += size
        if self._url_bytes > MAX_URL_BYTES:
            raise RequestRefused(
                414, f"the URL is over {MAX_URL_BYTES} bytes: send a shorter query"
            )

    def count_header(self) -> None:
        self._headers += 1
        if self._headers > MAX_HEADERS:
            raise RequestRefused(431, f"the request has over {MAX_HEADERS} headers")

    def count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise RequestRefused(
                431, f"the headers are over {MAX_HEAD_BYTES} bytes: send fewer"
            )

    def count_body(self, size: int, framing_size: int) -> None:
        """Count bytes of the body, and others: chunk headers, extensions, trailers."""
        self._body_bytes += size
        if self._body_bytes > MAX_RECEIVED_BODY_BYTES:
            raise RequestRefused(413, f"the body is over {MAX_BODY_BYTES} bytes")
        self._framing_bytes += framing_size
        allowed = MAX_FRAMING_BYTES + self._body_bytes // BODY_PER_FRAMING
        if self._framing_bytes > allowed:
            raise RequestRefused(
                431,
                f"the trailers and chunk headers are over {MAX_FRAMING_BYTES} bytes: "
                "send fewer trailers, or larger chunks",
            )

    def count_rest(self, content_length: int) -> int:
        """Return how many bytes of the body are still to come."""
        return content_length - self._body_bytes

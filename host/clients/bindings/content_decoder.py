"""Decodes compressed responses: some agents compress although nobody asked for it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from .unreachable_errors import BadResponse

GZIP = ("gzip", "x-gzip")
PIECE = 64 * 1024  # A few bytes may decode to a thousand times as many.
ANY_HEADER = 47  # zlib's code for a gzip or a zlib header.


class ContentDecoder:
    """Decodes the body of one response. `coding` is its Content-Encoding.

    Raises BadResponse for an unknown coding, and for invalid data.
    """

    def __init__(self, coding: str) -> None:
        coding = coding.strip().lower()
        if coding not in ("", "identity", "deflate", *GZIP):
            raise BadResponse(
                f"bad response: encoded as {coding[:40]}; the host reads gzip and "
                "deflate, and asks for neither"
            )
        self._zlib = (
            zlib.decompressobj(ANY_HEADER) if coding not in ("", "identity") else None
        )
        self._is_deflate = coding == "deflate"

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded data in pieces of at most PIECE bytes."""
        if self._zlib is None:
            yield data
            return
        # After the end, zlib repeats its unconsumed_tail without end.
        while data and not self._zlib.eof:
            try:
                piece = self._zlib.decompress(data, PIECE)
            except zlib.error as error:
                if not self._is_deflate:
                    raise BadResponse(f"bad response: {error}") from error
                # Some servers send deflate without the header that HTTP requires.
                self._zlib, self._is_deflate = (
                    zlib.decompressobj(-zlib.MAX_WBITS),
                    False,
                )
                continue
            self._is_deflate = False
            if piece:
                yield piece
            data = self._zlib.unconsumed_tail

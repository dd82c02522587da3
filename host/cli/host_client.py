"""An HTTP client for a running host: its token and its errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from ..clients.http_client import DIRECT
from ..config.secret_refs import TOKEN, read_client_token
from ..errors import CourtsideError

CONNECT_S = 5.0
READ_S = 40.0  # The host pings every 15 s: two lost pings and a margin.


class HostLost(CourtsideError):
    """The host does not respond, or its response breaks off."""


def open_client(url: str) -> httpx.Client:
    """Redirects are not followed, because they would leak the token."""
    token = read_client_token(os.environ, Path.cwd())
    return httpx.Client(
        base_url=url,
        headers={"authorization": f"Bearer {token}"} if token else {},
        timeout=httpx.Timeout(CONNECT_S, read=READ_S),
        mounts=DIRECT,
    )


@contextmanager
def explain_errors(url: str) -> Iterator[None]:
    """Turn errors of httpx into HostLost."""
    try:
        yield
    except httpx.ConnectError as error:
        raise HostLost(
            f"no host responds at {url} ({error}); start a host with `courtside`, "
            "or give the URL of another host"
        ) from error
    except httpx.HTTPError as error:
        cause = str(error) or type(error).__name__
        raise HostLost(f"lost the connection to the host at {url}: {cause}") from error


def check_response(response: httpx.Response, url: str) -> None:
    """Raises HostLost for a 5xx status, CourtsideError for any other but 200."""
    status = response.status_code
    if status == 200:
        return
    if status == 401:
        problem = "rejects this token" if os.environ.get(TOKEN) else "requires a token"
        raise CourtsideError(
            f"the host at {url} {problem}: set {TOKEN} to the host's token"
        )
    body = " ".join(response.read()[:300].decode("utf-8", "replace").split())
    message = f"the host at {url} responded with {status}: {make_printable(body)}"
    raise HostLost(message) if status >= 500 else CourtsideError(message)


def make_printable(text: str) -> str:
    """Replace control characters and text-direction marks with spaces.

    A terminal would obey them, and agents choose parts of the text.
    """
    return "".join(c if c.isprintable() else " " for c in text)

"""Owns how a command talks to a host that runs: where it is, its token, its refusals.

`tail` and `export` read what it answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from ..clients.http_client import DIRECT
from ..config.secret_refs import TOKEN, read_client_token
from ..errors import CourtsideError

CONNECT_S = 5.0
QUIET_S = 40.0  # The host pings every 15 s: two missed and a margin.
Query = Mapping[str, str | Sequence[str]]


class HostLost(CourtsideError):
    """It does not answer, or not to the end."""


def client(url: str) -> httpx.Client:
    """For one host. Follows no redirect: the token would go with it to anybody."""
    token = read_client_token(os.environ, Path.cwd())
    return httpx.Client(
        base_url=url,
        headers={"authorization": f"Bearer {token}"} if token else {},
        timeout=httpx.Timeout(CONNECT_S, read=QUIET_S),
        mounts=DIRECT,
    )


@contextmanager
def telling(url: str) -> Iterator[None]:
    """What HTTP says in the words of a person, as HostLost."""
    try:
        yield
    except httpx.ConnectError as error:
        raise HostLost(
            f"no host answers at {url} ({error}); start one with `courtside`, or name "
            "another by its address"
        ) from error
    except httpx.HTTPError as error:
        cause = str(error) or type(error).__name__
        raise HostLost(f"the host at {url} was lost: {cause}") from error


def check(answer: httpx.Response, url: str) -> None:
    """Raises CourtsideError where the host refuses, and HostLost where it fails."""
    if answer.status_code == 200:
        return
    said = " ".join(answer.read()[:300].decode("utf-8", "replace").split())
    if answer.status_code == 401:
        wrong = "takes another" if os.environ.get(TOKEN) else "asks for a"
        raise CourtsideError(
            f"the host at {url} {wrong} token: set {TOKEN} to the one it was given"
        )
    told = f"the host at {url} answers {answer.status_code}: {printable(said)}"
    raise HostLost(told) if answer.status_code >= 500 else CourtsideError(told)


def printable(text: str) -> str:
    """Without what a terminal would take for a command: agents write into it, too.

    No control characters, and nothing that turns the direction of what follows.
    """
    return "".join(c if c.isprintable() else " " for c in text)

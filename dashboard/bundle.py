"""Owns the page's modules and sheets as one file each, made from the files as they are.

A page of fifty files asks the host fifty times at each load, and compresses half as
well. There is no build step: app.py asks for a bundle and gets what is on the disk now.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread
import brotli
from starlette.requests import Request
from starlette.responses import Response

MAIN = "main.js"
FIRST_SHEETS = (
    *("base.css", "parts.css", "menu.css", "page.css"),
    *("needs.css", "cards.css", "feed.css", "narrow.css"),
)
OTHER_PAGES = ("board.css",)
SUFFIXES = (".js", ".css")
# To Chromium: functions, too, are compiled while the script comes. A tenth of the work.
HINT = "//# allFunctionsCalledOnLoad\n"

# Whole lines, and JSDoc's casts: anything else behind code may be part of a string.
_LINE_COMMENT = re.compile(r"^[ \t]*//.*$", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*(?:(?!\*/)[\s\S])*\*/[ \t]*$", re.MULTILINE)
_CAST = re.compile(r"/\*\* @type (?:(?!\*/).)*\*/ ?")
_NAMES = r"\{([^}]*)\}"
_IMPORT = re.compile(rf"^import\s*{_NAMES}\s*from\s*['\"]([^'\"]+)['\"];", re.MULTILINE)
_PASSED_ON = re.compile(
    rf"^export\s*{_NAMES}\s*from\s*['\"]([^'\"]+)['\"];", re.MULTILINE
)
_EXPORTED = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)
_LISTED = re.compile(rf"\bexport\s*{_NAMES};")
_AS = re.compile(r"([\w$]+)\s+as\s+([\w$]+)")
# In a template, too: HTML takes a line's indentation for one space.
_INDENTED = re.compile(r"\s*\n\s*")
_LEFT_OVER = re.compile(r"^\s*(?:import|export)\b.*", re.MULTILINE)


class BundleError(Exception):
    """A module is written in a way that a bundle cannot have: says which, and what."""


class Bundle(NamedTuple):
    """What is sent, and the name that it goes by in caches."""

    body: bytes
    encoded: dict[str, bytes]
    """By content coding, the best first."""
    etag: str


def modules(static: Path) -> Bundle:
    """`main.js` and all that it imports, each module a block of its own.

    A script of blocks, and no module of functions: what stands at the top of a script
    is compiled while it comes, off the page's own thread. Raises BundleError.
    """
    order: list[Path] = []
    _visit(static / MAIN, order, ())
    names = {path: f"$m{at}" for at, path in enumerate(order)}
    each = "".join(_wrapped(path, names) for path in order)
    return _bundle(f'{HINT}"use strict";let {",".join(names.values())};\n{each}')


def sheets(static: Path) -> Bundle:
    """All sheets of the page: the ground first, as it has the order of the layers."""
    first = [static / "style" / name for name in FIRST_SHEETS]
    left_out = {*first, *(static / "style" / name for name in OTHER_PAGES)}
    rest = [path for path in sorted(static.glob("style/*.css")) if path not in left_out]
    bare = (re.sub(r"(^|(?<=[{};,]))\n", "", _bare(path)) for path in (*first, *rest))
    return _bundle("".join(bare))


class Served:
    """A route to one bundle: made anew when a file has changed, else as it was."""

    def __init__(
        self, make: Callable[[Path], Bundle], static: Path, media_type: str
    ) -> None:
        self._make, self._static, self._media_type = make, static.resolve(), media_type
        self._bundle: Bundle | None = None
        self._seen: tuple[tuple[str, int], ...] = ()

    async def __call__(self, request: Request) -> Response:
        bundle = await anyio.to_thread.run_sync(self._current)
        headers = {"etag": bundle.etag, "vary": "accept-encoding"}
        if bundle.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        accepted = re.findall(r"[\w-]+", request.headers.get("accept-encoding", ""))
        for coding, body in bundle.encoded.items():
            if coding in accepted:
                headers["content-encoding"] = coding
                return Response(body, 200, headers, self._media_type)
        return Response(bundle.body, 200, headers, self._media_type)

    def _current(self) -> Bundle:
        files = (path for path in self._static.rglob("*") if path.suffix in SUFFIXES)
        now = tuple(sorted((str(path), path.stat().st_mtime_ns) for path in files))
        if self._bundle is None or self._seen != now:
            self._bundle, self._seen = self._make(self._static), now
        return self._bundle


def without_comments(module: str) -> str:
    """The same module, line for line, without what is said to people only."""
    blank = _BLOCK_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), module)
    return _CAST.sub("", _LINE_COMMENT.sub("", blank))


def _bundle(text: str) -> Bundle:
    """Compressed once, and not for each page that is opened."""
    body = text.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # A tenth of a second; the last step, 11, takes three times as long for 2 % more.
    br = brotli.compress(body, mode=brotli.MODE_TEXT, quality=10)
    return Bundle(body, {"br": br, "gzip": gzip.compress(body, mtime=0)}, etag)


def _visit(path: Path, order: list[Path], importers: tuple[Path, ...]) -> None:
    """Puts what a module imports before it."""
    if path in importers:
        raise BundleError(f"{path.name} imports itself, by way of others")
    if path in order:
        return
    text = _bare(path)
    for found in (*_IMPORT.finditer(text), *_PASSED_ON.finditer(text)):
        _visit((path.parent / found[2]).resolve(), order, (*importers, path))
    order.append(path)


def _wrapped(path: Path, names: dict[Path, str]) -> str:
    """The module as a block that sets its name to what it exports."""
    text, given = _bare(path), list[str]()

    def taken(found: re.Match[str]) -> str:
        source = names[(path.parent / found[2]).resolve()]
        wanted = _AS.sub(r"\1: \2", found[1])
        return f"const {{{wanted}}} = {source};"

    def passed_on(found: re.Match[str]) -> str:
        source = names[(path.parent / found[2]).resolve()]
        for name in found[1].split(","):
            inner, _, outer = name.strip().partition(" as ")
            given.append(f"{outer or inner}: {source}.{inner}")
        return ""

    def listed(found: re.Match[str]) -> str:
        given.append(_AS.sub(r"\2: \1", found[1]))
        return ""

    def exported(found: re.Match[str]) -> str:
        given.append(found[2])
        return f"{found[1]} {found[2]}"

    text = _PASSED_ON.sub(passed_on, _IMPORT.sub(taken, text))
    text = _EXPORTED.sub(exported, _LISTED.sub(listed, text))
    if left := _LEFT_OVER.search(text):
        raise BundleError(f"{path.name}: no bundle can have {left[0].strip()!r}")
    return f"{{{text}\n{names[path]} = {{{', '.join(given)}}};}}\n"


def _bare(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if "vendor" in path.parts:
        # Minified: one line may hold all imports. What it is mapped to is not here.
        text = re.sub(r"//# sourceMappingURL=.*", "", text)
        return re.sub(r"(?<=;)(?=import\{)", "\n", text)
    return _INDENTED.sub("\n", without_comments(text))

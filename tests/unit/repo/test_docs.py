"""Tests of the docs that need no running process: links, quotes and tables."""

from __future__ import annotations

import re
import sqlite3
import types
import typing
from pathlib import Path

import msgspec
import pytest

from host.log.sqlite_schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from host.model.event import (
    TERMINAL,
    WAITING,
    AgentEvent,
    ArtifactEvent,
    GapEvent,
    MessageEvent,
    NoticeEvent,
    TaskEvent,
    decode,
    encode,
    with_id,
)
from host.protocol.task_status import STATUS_OF_STATE
from tests.support.doc_examples import BLOCK, blocks_in, is_quote
from tests.support.harness import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
EVENTS = (TaskEvent, ArtifactEvent, MessageEvent, AgentEvent, GapEvent, NoticeEvent)


def path_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def slugs(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = HEADING.findall(prose(page))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=path_of)
def test_every_local_link_has_a_target(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path) if path else page
        assert to.exists(), f"{path_of(page)} links to {target}"
        if anchor:
            assert anchor in slugs(to), f"{path_of(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=path_of)
def test_every_quote_is_in_the_named_file(page: Path) -> None:
    for block in blocks_in(page):
        if is_quote(block):
            assert block.title
            assert block.text in (ROOT / block.title).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """Return the text below the heading that starts with `heading`."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(
        rf"^## {re.escape(heading)}.*?\n(.*?)(?=^## |\Z)", text, re.M | re.S
    )
    assert found, f"docs/{page} has no heading '## {heading}…'"
    return found[1]


def rows(text: str, head: str) -> list[list[str]]:
    """Return the cells of the table whose first column is `head`."""
    found = re.search(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\n?)+)", text, re.M)
    assert found, f"no table starts with | {head} |"
    lines = found[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


WORDS: dict[object, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    list: "list",
    dict: "object",
}


def name_type(hint: object) -> str:
    """Name a field's type as the tables of docs/feed.md do."""
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    parts = list(typing.get_args(hint)) if union else [hint]
    words = [
        WORDS[typing.get_origin(part) or part]
        for part in parts
        if part not in (type(None), msgspec.UnsetType)
    ]
    nullable = " or null" if type(None) in parts else ""
    sometimes = ", sometimes" if msgspec.UnsetType in parts else ""
    return words[0] + nullable + sometimes


@pytest.mark.parametrize("event", EVENTS)
def test_feed_page_has_each_field_of_an_event(
    event: type[msgspec.Struct],
) -> None:
    documented = rows(section("feed.md", f"`{event.__struct_config__.tag}`"), "field")

    hints = typing.get_type_hints(event)
    assert [[cells[0], cells[1]] for cells in documented] == [
        [f"`{name}`", name_type(hints[name])] for name in event.__struct_fields__
    ]


def test_feed_page_has_each_status() -> None:
    documented = rows(section("feed.md", "`task`"), "`status`")

    words = [cells[0].strip("`") for cells in documented]
    assert set(words) == {*STATUS_OF_STATE.values(), "unknown"}
    terminal = {
        cells[0].strip("`") for cells in documented if cells[1].startswith("terminal")
    }
    waits = {
        cells[0].strip("`") for cells in documented if cells[1].startswith("waits")
    }
    assert terminal == TERMINAL
    assert waits == WAITING


def test_examples_of_the_feed_page_are_valid_events() -> None:
    examples = [b for b in blocks_in(DOCS / "feed.md") if b.language == "json"]
    documented = [msgspec.json.decode(line) for line in examples[0].text.splitlines()]

    for event in documented:
        ours = with_id(event["id"], encode(decode(msgspec.json.encode(event))))
        assert msgspec.json.decode(ours) == event
    assert [event["kind"] for event in documented] == [
        "task",
        "artifact",
        "message",
        "gap",
        "notice",
    ]


def test_log_page_has_each_table_and_column() -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    tables = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    ).fetchall()

    page = (DOCS / "log-format.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## `(\w+)`", page, re.M)) == {name for (name,) in tables}
    for (name,) in tables:
        sql = "SELECT name, type FROM pragma_table_info(?)"
        columns = db.execute(sql, (name,)).fetchall()
        documented = rows(section("log-format.md", f"`{name}`"), "column")
        assert [(c[0].strip("`"), c[1]) for c in documented] == columns
    (example,) = (b.text for b in blocks_in(DOCS / "log-format.md"))
    assert db.execute(example.split('"')[1]).fetchall() == []
    db.close()
    assert f"version **{SCHEMA_VERSION}**" in page
    assert f"`0x{APPLICATION_ID:08X}`" in page


def test_decisions_are_numbered_and_listed() -> None:
    folder = DOCS / "decisions"
    records = sorted(path.name for path in folder.glob("0*.md"))
    listed = LINK.findall((folder / "index.md").read_text(encoding="utf-8"))

    assert listed == records
    for number, name in enumerate(records, start=1):
        assert name.startswith(f"{number:04}-")
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (\w+)$", text, re.M)[:3] == [
            "Context",
            "Decision",
            "Consequences",
        ]


def test_contributing_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(
        r"`((?:agents|dashboard|docs|host|scripts|tests)/[\w./-]*)", text
    )

    assert len(paths) > 20
    for path in paths:
        assert "NAME" in path or (ROOT / path).exists(), path

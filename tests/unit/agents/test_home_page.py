"""Tests the response of `GET /` of an agent to a terminal and to a browser.

Covers agents/home_page.py. tests/browser/test_agent_page.py opens the page in Chromium.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace

import pytest

from agents.home_page import STATIC, format_html, format_text
from tests.support.in_process_agent import run_agent
from tests.support.scenario_agent import SCENARIO_AGENT

BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
MARKUP = "<img src=x onerror=alert(1)>"


async def test_terminal_gets_a_description_and_commands() -> None:
    async with run_agent() as scenario:
        answer = await scenario.http.get("/")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("Scenario: Has one script for each thing that can")
    assert "curl -N http://agent.test/tasks/stream" in answer.text
    for skill in SCENARIO_AGENT.skills:
        assert re.search(rf"^  {skill.id} +Go$", answer.text, re.M)


async def test_browser_gets_html() -> None:
    async with run_agent() as scenario:
        answer = await scenario.http.get("/", headers=BROWSER)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Scenario, an A2A agent</title>" in answer.text


async def test_both_responses_vary_by_accept() -> None:
    async with run_agent() as scenario:
        for headers in ({}, BROWSER):
            answer = await scenario.http.get("/", headers=headers)
            assert answer.headers["vary"] == "Accept"


async def test_every_link_of_the_page_is_a_file_of_the_agent() -> None:
    links = re.findall(r'(?:href|src)="([^"]+)"', format_html(SCENARIO_AGENT))
    assert len(links) > 4
    async with run_agent() as scenario:
        for link in links:
            assert not link.startswith(("/", "http"))
            assert (await scenario.http.get(f"/{link}")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/static/page.css"])
async def test_page_and_files_have_a_strict_content_security_policy(path: str) -> None:
    async with run_agent() as scenario:
        headers = (await scenario.http.get(path, headers=BROWSER)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


def test_page_has_no_inline_script_or_style() -> None:
    page = format_html(SCENARIO_AGENT)
    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=", page) == []
    scripts = "".join(file.read_text("utf-8") for file in STATIC.glob("*.js"))
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval", scripts)


def test_agent_text_is_escaped() -> None:
    skill = replace(
        SCENARIO_AGENT.skills[0],
        name=MARKUP,
        description=MARKUP,
        examples=(f'">{MARKUP}',),
    )
    spec = replace(
        SCENARIO_AGENT, title=MARKUP, description=f"{MARKUP} $title", skills=(skill,)
    )
    page = format_html(spec)
    assert "<img" not in page
    assert f"&lt;{MARKUP[1:-1]}&gt; $title" in page


def test_commands_escape_quotes() -> None:
    example = 'Don\'t say "now"; say $HOME \\ `id`'
    skill = replace(SCENARIO_AGENT.skills[0], examples=(example,))
    text = format_text(replace(SCENARIO_AGENT, skills=(skill,)), "http://agent.test")
    command = next(part for part in text.split("\n\n") if "message:stream" in part)
    words = shlex.split(command.replace("\\\n", ""))
    body = json.loads(words[words.index("-d") + 1])
    assert body["message"]["parts"] == [{"text": example}]


async def test_json_rpc_works_at_the_same_path() -> None:
    async with run_agent() as scenario:
        answer = await scenario.rpc("ListTasks", {})
    assert answer["result"]["tasks"] == []

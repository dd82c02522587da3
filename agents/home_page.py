"""Answers `GET /`: commands for a terminal, the lesson's page for a browser.

The page sends only requests that any A2A client may send.
"""

import json
import textwrap
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from .steps import AgentSpec, Skill

STATIC = Path(__file__).parent / "static"

HEADERS = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            # The scripts of the page also cannot turn strings into markup.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    # The browser must not mix files of two versions.
    "cache-control": "no-cache",
}

TEXT = Template(
    """\
$title: $description

Watch all tasks; each change is a line:

  curl -N $url/tasks/stream

Start one and watch it:

  curl -N $url/message:stream \\
    -H 'A2A-Version: 1.0' -H 'Content-Type: application/json' \\
    -d '{"message": {"messageId": "1", "role": "ROLE_USER",
         "parts": [{"text": "$example"}]}}'

Cancel it, with its id from above:

  curl -X POST $url/tasks/ID:cancel -H 'A2A-Version: 1.0'

You can ask for:

$skills

The card says the same to other agents, in A2A 1.0:

  curl $url/.well-known/agent-card.json

In a browser, $url/ is a page with buttons.
"""
)
SKILL_OPTION = Template(
    """\
<label>
  <input type="radio" name="skill" value="$id" data-example="$example"$checked>
  <span><b>$name</b> $description</span>
</label>"""
)


def build_routes(spec: AgentSpec) -> list[BaseRoute]:
    """Return `GET /` and the files of the page."""
    return [
        Route("/", _build_home(spec), methods=["GET"]),
        Mount("/static", PageFiles(directory=STATIC)),
    ]


def format_text(spec: AgentSpec, url: str) -> str:
    """Describe the agent and the commands to try, for a terminal."""
    skills = "\n".join(
        f"  {skill.id:<20} {textwrap.shorten(find_example(skill), 56, placeholder='…')}"
        for skill in spec.skills
    )
    example = find_example(spec.skills[0])
    return TEXT.substitute(
        title=spec.title,
        description=spec.description,
        url=url,
        # A JSON string in single quotes of the shell.
        example=json.dumps(example, ensure_ascii=False)[1:-1].replace("'", "'\\''"),
        skills=skills,
    )


def format_html(spec: AgentSpec) -> str:
    """Return the page. It shows the agent's texts as text, never as markup."""
    options = (
        SKILL_OPTION.substitute(
            id=escape(skill.id),
            name=escape(skill.name),
            description=escape(skill.description),
            example=escape(find_example(skill)),
            checked=" checked" if skill is spec.skills[0] else "",
        )
        for skill in spec.skills
    )
    page = Template((STATIC / "index.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(spec.title),
        description=escape(spec.description),
        skills=textwrap.indent("\n".join(options), " " * 12).strip(),
    )


def find_example(skill: Skill) -> str:
    return skill.examples[0] if skill.examples else skill.name


class PageFiles(StaticFiles):
    """The files of the page, with `HEADERS`."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def _build_home(spec: AgentSpec) -> Callable[[Request], Awaitable[Response]]:
    page = format_html(spec)

    async def home(request: Request) -> Response:
        response: Response
        if "text/html" in request.headers.get("accept", ""):
            response = HTMLResponse(page)
        else:
            url = str(request.base_url).rstrip("/")
            response = PlainTextResponse(format_text(spec, url))
        response.headers.update({**HEADERS, "vary": "Accept"})
        return response

    return home

"""Owns what `GET /` answers: commands for a terminal, the lesson's page for a browser.

serve.py routes it; page and files ask the agent only what any A2A client may ask.
"""

import json
import textwrap
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from string import Template

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.steps import Character, Skill

STATIC = Path(__file__).parent / "static"

# Trusted Types close the one door that `script-src 'self'` leaves open: markup made
# from strings. The page makes none.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
SAFETY = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    # A page and modules of two different versions must never meet.
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


def routes(character: Character) -> list[BaseRoute]:
    """`GET /` and the files of the page."""
    return [
        Route("/", _home(character), methods=["GET"]),
        Mount("/static", SafetyHeaders(StaticFiles(directory=STATIC))),
    ]


def as_text(character: Character, url: str) -> str:
    """Who `character` is and what to try, for a terminal."""
    skills = "\n".join(
        f"  {skill.id:<20} {textwrap.shorten(example_of(skill), 56, placeholder='…')}"
        for skill in character.skills
    )
    example = example_of(character.skills[0])
    return TEXT.substitute(
        title=character.title,
        description=character.description,
        url=url,
        # A string of JSON, in single quotes for the shell.
        example=json.dumps(example, ensure_ascii=False)[1:-1].replace("'", "'\\''"),
        skills=skills,
    )


def as_html(character: Character) -> str:
    """The page. What an agent says of itself is text in it, never markup."""
    options = (
        SKILL_OPTION.substitute(
            id=escape(skill.id),
            name=escape(skill.name),
            description=escape(skill.description),
            example=escape(example_of(skill)),
            checked=" checked" if skill is character.skills[0] else "",
        )
        for skill in character.skills
    )
    page = Template((STATIC / "index.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(character.title),
        initial=escape(character.title[:1]),
        description=escape(character.description),
        skills=textwrap.indent("\n".join(options), " " * 12).strip(),
    )


def example_of(skill: Skill) -> str:
    return skill.examples[0] if skill.examples else skill.name


class SafetyHeaders:
    """Puts `SAFETY` on every response of `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFETY)
            await send(message)

        await self._app(scope, receive, send_safely)


def _home(character: Character) -> Callable[[Request], Awaitable[Response]]:
    page = as_html(character)

    async def home(request: Request) -> Response:
        response: Response
        if "text/html" in request.headers.get("accept", ""):
            response = HTMLResponse(page)
        else:
            url = str(request.base_url).rstrip("/")
            response = PlainTextResponse(as_text(character, url))
        response.headers.update({**SAFETY, "vary": "Accept"})
        return response

    return home

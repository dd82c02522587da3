"""Nancy tells everyone: she writes invitations and sends them.

Each function is a script; NANCY at the end describes the agent.
"""

import re

from ..steps import (
    AgentSpec,
    Ask,
    Deliver,
    Fail,
    NeedAuth,
    Progress,
    Reject,
    Request,
    Script,
    Skill,
)

PEOPLE = ("Alex", "Kim", "Robin", "Sam")
SEND, KEEP = "Send", "Don't send"
ALLOW, REFUSE = "Allow", "Refuse"
WORD = re.compile(r"[^\W\d_]{2}")
# RFC 2606 reserves this ending: no such address exists.
INVALID_ADDRESS = re.compile(r"\S+@\S+\.invalid\b", re.IGNORECASE)


async def send_notification(request: Request) -> Script:
    """Three long steps."""
    if not WORD.search(request.text):
        yield reject_empty(request)
    yield Progress(10, "Writing the invitation...", beats=2)
    yield Progress(50, "Ready to send...", beats=2)
    yield Progress(80, "Sending 4 invitations...", beats=2)
    if address := INVALID_ADDRESS.search(request.text):
        yield Fail(
            f"{address[0]} cannot be reached: there is no such address. Nothing was "
            "sent; correct the address and send it again."
        )
    yield confirm(request)


async def invite_everyone(request: Request) -> Script:
    """Asks first, and continues with the answer."""
    if not WORD.search(request.text):
        yield reject_empty(request)
    yield Progress(10, "Writing 4 invitations...", beats=2)
    yield Progress(50, "Ready to send...")
    answer = yield Ask("Send 4 invitations?", (SEND, KEEP))
    while answer not in (SEND, KEEP):
        answer = yield Ask(f"Please say {SEND} or {KEEP}.", (SEND, KEEP))
    if answer == KEEP:
        yield Deliver("Nothing was sent.")
        return
    yield Progress(80, "Sending 4 invitations...", beats=1.5)
    yield confirm(request)


async def announce_publicly(request: Request) -> Script:
    """Writes in public, so a person has to allow it."""
    yield Progress(20, "Writing the announcement...")
    answer = yield NeedAuth("May Nancy write on the club's board?", (ALLOW, REFUSE))
    if answer != ALLOW:
        yield Fail("Nobody allowed Nancy to write on the club's board; it stays empty.")
    yield Progress(80, "Writing on the club's board...")
    yield Deliver("The club's board says: tennis tomorrow at 18:30.")


def reject_empty(request: Request) -> Reject:
    return Reject(
        f"{request.text[:40]!r} says nothing that Nancy could send; write what the "
        "others should know."
    )


def confirm(request: Request) -> Deliver:
    return Deliver(
        "Sent 4 invitations: Alex, Kim, Robin and Sam.",
        data={"to": list(PEOPLE), "text": request.text},
    )


NANCY = AgentSpec(
    name="nancy",
    title="Nancy",
    description="Tells everyone: writes invitations and sends them.",
    port=8004,
    skills=(
        Skill(
            id="send_notification",
            name="Send a notification",
            description="Writes an invitation and sends it straight away.",
            script=send_notification,
            examples=(
                "Send the news: tennis tomorrow at 18:30",
                "Send the news to nobody@nowhere.invalid",
            ),
            tags=("send", "notify", "notification", "tell", "news"),
        ),
        Skill(
            id="invite_everyone",
            name="Invite everyone",
            description="Writes the invitations and asks before it sends them.",
            script=invite_everyone,
            examples=("Invite everyone to tennis tomorrow at 18:30",),
            tags=("invite", "invitation", "invitations", "everyone", "ask"),
        ),
        Skill(
            id="announce_publicly",
            name="Announce it in public",
            description="Writes on the club's board, once somebody has allowed it.",
            script=announce_publicly,
            examples=("Announce the game on the club's board",),
            tags=("announce", "announcement", "public", "board", "club"),
        ),
    ),
)

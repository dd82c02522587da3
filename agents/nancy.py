"""Owns Nancy, who tells everyone: her card's facts and her scripts.

__main__.py starts her; executor.py plays what her scripts yield.
"""

import re

from agents.steps import (
    Ask,
    Character,
    Deliver,
    Fail,
    NeedAuth,
    Progress,
    Reject,
    Request,
    Skill,
    Work,
)

PEOPLE = ("Alex", "Kim", "Robin", "Sam")
SEND, KEEP = "Send", "Don't send"
ALLOW, REFUSE = "Allow", "Refuse"
A_WORD = re.compile(r"[^\W\d_]{2}")
# RFC 2606: no address ends like this, ever.
NOWHERE = re.compile(r"\S+@\S+\.invalid\b", re.IGNORECASE)


async def send_notification(request: Request) -> Work:
    """Three long steps: she thinks before she writes."""
    if not A_WORD.search(request.text):
        yield nothing_to_say(request)
    yield Progress(10, "Writing the invitation…", beats=2)
    yield Progress(50, "Ready to send…", beats=2)
    yield Progress(80, "Sending 4 invitations…", beats=2)
    if nowhere := NOWHERE.search(request.text):
        yield Fail(
            f"{nowhere[0]} cannot be reached: there is no such address. Nothing was "
            "sent; correct the address and send it again."
        )
    yield sent(request)


async def invite_everyone(request: Request) -> Work:
    """Asks first, and goes on with the answer."""
    if not A_WORD.search(request.text):
        yield nothing_to_say(request)
    yield Progress(10, "Writing 4 invitations…", beats=2)
    yield Progress(50, "Ready to send…")
    answer = yield Ask("Send 4 invitations?", (SEND, KEEP))
    while answer not in (SEND, KEEP):
        answer = yield Ask(f"Please say {SEND} or {KEEP}.", (SEND, KEEP))
    if answer == KEEP:
        yield Deliver("Nothing was sent.")
        return
    yield Progress(80, "Sending 4 invitations…", beats=1.5)
    yield sent(request)


async def announce_publicly(request: Request) -> Work:
    """Writes where strangers read, so somebody has to allow it."""
    yield Progress(20, "Writing the announcement…")
    answer = yield NeedAuth("May Nancy write on the club's board?", (ALLOW, REFUSE))
    if answer != ALLOW:
        yield Fail("Nobody allowed Nancy to write on the club's board; it stays empty.")
    yield Progress(80, "Writing on the club's board…")
    yield Deliver("The club's board says: tennis tomorrow at 18:30.")


def nothing_to_say(request: Request) -> Reject:
    return Reject(
        f"{request.text[:40]!r} says nothing that Nancy could send; write what the "
        "others should know."
    )


def sent(request: Request) -> Deliver:
    return Deliver(
        "Sent 4 invitations: Alex, Kim, Robin and Sam.",
        data={"to": list(PEOPLE), "text": request.text},
    )


NANCY = Character(
    name="nancy",
    title="Nancy",
    description="Tells everyone: writes invitations and sends them.",
    skills=(
        Skill(
            id="send_notification",
            name="Send a notification",
            description="Writes an invitation and sends it straight away.",
            work=send_notification,
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
            work=invite_everyone,
            examples=("Invite everyone to tennis tomorrow at 18:30",),
            tags=("invite", "invitation", "invitations", "everyone", "ask"),
        ),
        Skill(
            id="announce_publicly",
            name="Announce it in public",
            description="Writes on the club's board, once somebody has allowed it.",
            work=announce_publicly,
            examples=("Announce the game on the club's board",),
            tags=("announce", "announcement", "public", "board", "club"),
        ),
    ),
)

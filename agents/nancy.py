"""Owns Nancy, who tells everyone: her card's facts and her scripts.

__main__.py starts her; executor.py plays what her scripts yield.
"""

from agents.steps import Ask, Character, Deliver, Progress, Request, Skill, Work

PEOPLE = ("Alex", "Kim", "Robin", "Sam")
SEND, KEEP = "Send", "Don't send"


async def send_notification(request: Request) -> Work:
    """Three long steps: she thinks before she writes."""
    yield Progress(10, "Writing the invitation…", beats=2)
    yield Progress(50, "Ready to send…", beats=2)
    yield Progress(80, "Sending 4 invitations…", beats=2)
    yield sent(request)


async def invite_everyone(request: Request) -> Work:
    """Asks first, and goes on with the answer."""
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
            examples=("Send the news: tennis tomorrow at 18:30",),
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
    ),
)

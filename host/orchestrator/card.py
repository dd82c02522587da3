"""Owns the card of the host as an agent: its plans are its skills.

The orchestrator shows it, and announces in the feed what it says.
"""

from __future__ import annotations

from collections.abc import Mapping

from a2a.types import a2a_pb2 as pb

from ..model.event import Skill
from ..plans.plan import Plan
from ..protocol.progress import URI as PROGRESS
from ..version import VERSION
from .run_state import PLAN

TITLE = "Courtside"
DESCRIPTION = "Has other agents do what it is asked for, each by its part of a plan."


def card_of(plans: Mapping[str, Plan], url: str) -> pb.AgentCard:
    """`url` is where both bindings are."""
    return pb.AgentCard(
        name=TITLE,
        description=DESCRIPTION,
        version=VERSION,
        supported_interfaces=[
            pb.AgentInterface(url=url, protocol_binding=binding, protocol_version="1.0")
            for binding in ("JSONRPC", "HTTP+JSON")
        ],
        capabilities=pb.AgentCapabilities(
            streaming=True,
            extensions=[
                pb.AgentExtension(
                    uri=PROGRESS,
                    description="Progress of the task and, as trackers, of each step.",
                ),
                pb.AgentExtension(
                    uri=PLAN,
                    description="The steps of the plan, and the task of each, in the "
                    "metadata of each update.",
                ),
            ],
        ),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain", "application/json"],
        skills=[
            pb.AgentSkill(
                id=plan.key,
                name=plan.name,
                description=plan.description or plan.name,
                tags=["plan"],
                examples=plan.examples,
            )
            for plan in plans.values()
        ],
    )


def skills_of(card: pb.AgentCard) -> list[Skill]:
    return [Skill(s.id, s.name, s.description, list(s.examples)) for s in card.skills]

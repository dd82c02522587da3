"""Builds the agent card of the host. Its skills are the plans."""

from __future__ import annotations

from collections.abc import Mapping

from a2a.types import a2a_pb2 as pb

from ..plans.plan import Plan
from ..protocol.progress import URI as PROGRESS_URI
from ..version import VERSION
from .run_state import PLAN_URI

TITLE = "Courtside"
DESCRIPTION = "Runs plans: each step of a plan is a task of another agent."


def build_host_card(plans: Mapping[str, Plan]) -> pb.AgentCard:
    """Build the card. The gateway adds the features that it has for every agent."""
    return pb.AgentCard(
        name=TITLE,
        description=DESCRIPTION,
        version=VERSION,
        capabilities=pb.AgentCapabilities(
            extensions=[
                pb.AgentExtension(
                    uri=PROGRESS_URI,
                    description="Progress of the task and, as trackers, of each step.",
                ),
                pb.AgentExtension(
                    uri=PLAN_URI,
                    description="The steps of the plan, and the task of each step, in "
                    "the metadata of each update.",
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

"""Owns plans: which agents are asked for what, in which order, and with what result.

courtside.toml and planners give them; the conductor runs them.
"""

from __future__ import annotations

from host.plans.choice import UnknownPlan, choose
from host.plans.default import built_in
from host.plans.plan import OnFailure, Plan, Planner, Step
from host.plans.planner import PlannerFailed, load, made
from host.plans.reader import PlanError, read_plan, read_plans

__all__ = [
    "OnFailure",
    "Plan",
    "PlanError",
    "Planner",
    "PlannerFailed",
    "Step",
    "UnknownPlan",
    "built_in",
    "choose",
    "load",
    "made",
    "read_plan",
    "read_plans",
]

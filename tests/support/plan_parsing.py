"""Parses plans of courtside.toml for tests."""

from __future__ import annotations

import sys

import pytest

from host.errors import ConfigError
from host.plans.parser import PlanError, parse_plans
from host.plans.plan import Plan, Planner
from tests.support.stack import SEED_AGENTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def no_planner(name: str) -> Planner:
    raise ConfigError(f"is {name!r}, and there are no planners here")


def parse(text: str) -> dict[str, Plan]:
    return parse_plans(tomllib.loads(text)["plans"], SEED_AGENTS, no_planner)


def parse_error(text: str) -> PlanError:
    with pytest.raises(PlanError) as refused:
        parse(text)
    return refused.value

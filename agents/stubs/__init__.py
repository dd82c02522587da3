"""Finds the agents that can be started: one in each module of this folder.

To add one, add a file here, a line to `Procfile`, and the name and port to the host's
default agents. A file anywhere else can be started by its path.
"""

import pkgutil
import runpy
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from ..steps import AgentSpec


def find_agent(name: str) -> AgentSpec:
    """Return the stub called `name`, or the agent in the file `name` (ends in .py).

    Raises ValueError, and any exception that the file itself raises.
    """
    if name.endswith(".py"):
        return _load_file(Path(name))
    if name not in STUBS:
        raise ValueError(
            f"there is no agent {name!r}; choose one of: {', '.join(STUBS)}, "
            "or a file of your own that ends in .py"
        )
    return STUBS[name]


def default_port(agent: AgentSpec) -> int:
    return agent.port or 1 + max(stub.port for stub in STUBS.values())


def _load_stubs() -> dict[str, AgentSpec]:
    """Return the agents of this folder by name, in the order of their ports."""
    agents: list[AgentSpec] = []
    for module in pkgutil.iter_modules(__path__):
        agents += _agents_in(vars(import_module(f".{module.name}", __name__)))
    return {agent.name: agent for agent in sorted(agents, key=lambda agent: agent.port)}


def _load_file(path: Path) -> AgentSpec:
    if not path.is_file():
        raise ValueError(f"there is no file {path} in {Path.cwd()}")
    agents = _agents_in(runpy.run_path(str(path)))
    if len(agents) != 1:
        raise ValueError(
            f"{path} must have one agent, as in agents/stubs/carly.py: "
            f"NAME = AgentSpec(...); it has {len(agents)}"
        )
    return agents[0]


def _agents_in(names: Mapping[str, object]) -> list[AgentSpec]:
    return [value for value in names.values() if isinstance(value, AgentSpec)]


STUBS = _load_stubs()

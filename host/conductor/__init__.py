"""Owns the host as an agent: asked for something, it has other agents do it, by a plan.

The gateway serves it like any agent; what it does goes into the feed, as all else.
"""

from __future__ import annotations

from host.conductor.conductor import Conductor

__all__ = ["Conductor"]

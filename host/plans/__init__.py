"""Plans as data: which agents are asked for what, in which order.

Parses, checks and selects them; `orchestrator` runs them. Imports `observability` and
the packages below it.
"""

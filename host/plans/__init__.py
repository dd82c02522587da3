"""Plans as data: parsing, validation, selection, and planners that create steps.

Imports `observability` and the packages below it. `orchestrator` runs the plans.
"""

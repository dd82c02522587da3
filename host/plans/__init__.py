"""Plans as data: parsing, validation, selection, and planners that create steps.

`orchestrator` runs the plans. Imports `observability` and the packages below it.
"""

"""Finds the tasks of an agent, also those that other clients start.

`discovery` runs while the agent is connected, and reads its list of tasks. Imports
`merging`, `clients`, `feed` and the packages below them.
"""

"""Follows agents and their tasks: connects, subscribes, polls, and reconnects.

`roster` has one `collector` for each agent, which has one `follower` for each open
task. Imports `discovery`, `merging`, `clients`, `feed` and the packages below them.
"""

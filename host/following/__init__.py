"""Follows agents and their tasks: every update of every task becomes events in the
feed.

`roster` has one `collector` for each agent, and that has one `follower` for each open
task. Imports `clients`, `feed` and the packages below them.
"""

"""Follows agents and their tasks: every update of a task becomes events in the feed.

`roster` has one `collector` for each agent, which has one `follower` for each open
task. Imports `clients`, `feed` and the packages below them.
"""

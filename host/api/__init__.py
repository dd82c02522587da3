"""The host's own HTTP endpoints: feed streams, history, agents, metrics, health; who
may use them.

Imports `following` and the packages below it.
"""

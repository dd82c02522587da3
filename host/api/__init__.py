"""The host's HTTP endpoints: feed streams, history, agents, metrics, health, and the
access to them.

Imports `following` and the packages below it.
"""

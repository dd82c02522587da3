"""The host as an A2A agent: runs a plan for each request, with tasks of other agents.

Imports `gateway` and the packages below it.
"""

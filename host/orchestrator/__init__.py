"""The host as an A2A agent: it runs a plan for each request, over other agents.

Imports `gateway` and the packages below it.
"""

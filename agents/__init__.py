"""Small A2A agents, one process each. stubs/ has one file for each agent.

The other modules turn such a file into an A2A server. Agents and the host talk over
HTTP only, so this package imports nothing from the host.
"""

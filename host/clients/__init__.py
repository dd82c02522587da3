"""Communication with one agent: card, interface, credentials, rate limit, A2A calls.

The packages above use `connection`. Imports `config` and the packages below it.
"""

"""Communication with one agent: card, interface, credentials, rate limit, A2A calls.

`connection` is what the packages above use. Imports `config` and the packages below it.
"""

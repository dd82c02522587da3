"""Reads flags, environment variables and `courtside.toml` into typed, frozen settings.

Imports `plans` and the packages below it.
"""

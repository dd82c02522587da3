"""Settings: flags, environment variables and `courtside.toml`, read and checked once.

The result is typed and frozen. Imports `plans` and the packages below it.
"""

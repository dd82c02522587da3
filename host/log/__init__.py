"""The log that keeps the feed: its contract, and the logs in memory and in SQLite.

Also reads recordings, which are logs saved as NDJSON. Imports `plans` and the packages
below it, but needs only `model` and `observability`.
"""

"""Merges the streams of one task into its events: each update once, and a gap for what
is missing.

`task_merger` takes what the streams and GetTask bring. Imports `clients`, `feed` and
the packages below them.
"""

"""The feed: append → commit → publish, and the delivery of its events to every reader.

Holds the newest events as encoded frames, the cursors, and the search. Imports `log`
and the packages below it.
"""

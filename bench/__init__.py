"""Owns our measurements: ratios taken side by side in one run, never a timed test.

`scripts/bench feed` prints the tables of bench/feed.py, and so on; __main__.py has the
names.
"""

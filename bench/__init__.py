"""The benchmarks. Each compares programs side by side in one run, and prints ratios.

`scripts/bench feed` runs bench/feed.py. No test depends on a time measured here.
"""

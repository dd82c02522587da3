"""Plain data that every other package uses: events, the board, filters, timestamps.

No I/O. Imports nothing from the host but `errors`.
"""

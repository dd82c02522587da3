"""A2A 1.0 and 0.3 objects as typed structs, and the translation of updates to events.

Only functions and data: no I/O, no clock. Imports `model`.
"""

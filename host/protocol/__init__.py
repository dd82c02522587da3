"""A2A objects (1.0, 0.3) as typed structs, and the step from an A2A update to feed
events.

Pure functions and data: no I/O, no clock. Imports `model`.
"""

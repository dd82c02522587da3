"""The host's log lines, and traces of its requests (W3C Trace Context, OpenTelemetry).

Imports `model`.
"""

"""The `courtside` command: one module for each subcommand.

Imports every package of the host.
"""

"""Carly, Walter, Logan and Nancy: four A2A agents, one process each.

They know nothing of the host; everyone meets them on the wire.
"""

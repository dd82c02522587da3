"""The host: follows A2A agents, keeps the feed, serves it, passes commands down.

Floors, lowest first: event, board, translate, config · log · feed, roster ·
collector, relay · stream · app. Each imports only from the floors below it.
"""

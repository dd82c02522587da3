"""The host: follows A2A agents, keeps the feed, serves it, passes commands down.

Floors, lowest first: event, board, translate, config · log · ring, cursor · feed,
connection · follower · collector, fanout · relay, stream · history, guard · app.
Each imports only from the floors below it; `import-linter` holds that.
"""

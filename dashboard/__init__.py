"""The dashboard: one page and its static files. It knows only the host's URLs.

`app.create_app` builds the ASGI app, and the host mounts it at `/`. `dashboard` imports
nothing from `host` or `agents`.
"""

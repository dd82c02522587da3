"""The dashboard: one page and its files; it knows the host's URLs and nothing else.

`app.create_app` builds it; the host mounts it at `/`.
"""

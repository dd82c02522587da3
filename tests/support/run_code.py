"""Runs Python code: `python -m tests.support.run_code CODE`."""

import sys

if __name__ == "__main__":
    exec(sys.argv[1])  # noqa: S102 - code of the test

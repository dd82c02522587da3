"""Runs the code that it is given: `python -m tests.support.run_code CODE`."""

import sys

if __name__ == "__main__":
    exec(sys.argv[1])  # noqa: S102 - the test's own

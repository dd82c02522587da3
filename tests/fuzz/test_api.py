"""Whatever is asked of the host's HTTP API, it answers as /openapi.json says.

Schemathesis over a real host; the cases that it found are in test_openapi.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.api import fuzzed
from tests.fuzz.many import MANY, tried


@pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="the last Schemathesis for Python 3.10 follows redirects, and wants others",
)
def test_requests_made_of_the_description_are_answered_as_it_says(
    tmp_path: Path,
) -> None:
    if MANY:
        chosen = ["--phases=examples,coverage,fuzzing", f"--max-examples={MANY // 50}"]
    else:
        chosen = ["--phases=fuzzing", "--max-examples=2", "--generation-deterministic"]
    found = fuzzed(tmp_path, *chosen, deadline_s=60 + MANY)
    tried["requests_to_the_http_api"] += found.requests

    assert found.is_well, found.report
    assert found.requests > 40, found.report

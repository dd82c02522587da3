"""Fuzz test: the host answers any request to its HTTP API as /openapi.json says.

test_openapi.py has the cases that it found.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.api import fuzz_api
from tests.fuzz.many import MANY, tried


@pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="Schemathesis for Python 3.10 follows redirects and needs other packages",
)
def test_generated_requests_get_documented_responses(
    tmp_path: Path,
) -> None:
    if MANY:
        chosen = [
            "--phases=examples,coverage,fuzzing",
            f"--max-examples={max(1, MANY // 50)}",
        ]
    else:
        chosen = ["--phases=fuzzing", "--max-examples=2", "--generation-deterministic"]
    result = fuzz_api(tmp_path, *chosen, deadline_s=180 + MANY)
    tried["requests_to_the_http_api"] += result.requests

    assert result.is_ok, result.report
    assert result.requests > 40, result.report

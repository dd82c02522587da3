"""Creates a certificate for 127.0.0.1 with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def create_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the paths of the certificate and of its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        *("req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(cert)),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key

"""Hatchling build hook: bundle the page into the wheel with esbuild.

A clone and an editable install serve the modules of `dashboard/static` as they are. The
wheel has one script and one style sheet instead, which load faster over a network (see
docs/decisions/0007-page-modules.md).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
STATIC = ROOT / "dashboard" / "static"
# Makes V8 compile all functions while the script loads, outside the main thread.
BANNER = "//# allFunctionsCalledOnLoad"


class BundlePage(BuildHookInterface[BuilderConfig]):
    """Put the bundled page into the wheel, at the hook's `page-target`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self._folder = tempfile.mkdtemp(prefix="courtside-page-")
        if find_esbuild():
            bundle_page(Path(self._folder))
        else:
            self.app.display_warning(
                "esbuild is not installed, so the page is not bundled. It works, but "
                "loads slower. To bundle it, run npm ci first."
            )
            ignore = shutil.ignore_patterns("*.d.ts", "refresh.sh")
            shutil.copytree(STATIC, self._folder, dirs_exist_ok=True, ignore=ignore)
        build_data["force_include"][self._folder] = self.config["page-target"]

    def finalize(self, version: str, *_: Any) -> None:
        if version != "editable":
            shutil.rmtree(self._folder)


def find_esbuild() -> str | None:
    """Return the path of esbuild, installed here by `npm ci` or found on PATH."""
    installed = (ROOT / "node_modules" / "@esbuild").glob("*/bin/esbuild")
    return next(map(str, installed), shutil.which("esbuild"))


def bundle_page(folder: Path) -> None:
    """Write the static files of the page, bundled, into `folder`.

    Raises CalledProcessError, with esbuild's message on stderr, if a module is wrong.
    """
    sheets = sorted(STATIC.glob("style/*.css"))
    command: list[str | Path] = [
        find_esbuild() or "esbuild",
        STATIC / "main.js",
        *sheets,
    ]
    command += ["--bundle", "--minify", "--format=esm", "--log-level=warning"]
    command += [f"--banner:js={BANNER}", f"--outbase={STATIC}", f"--outdir={folder}"]
    subprocess.run(command, check=True)
    shutil.copy(STATIC / "favicon.svg", folder)

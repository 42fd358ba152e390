"""Print `requirements.lock`: every package that pip would install for the project and its development, pinned.

Run with the Python whose resolution is wanted (`make lock`). Builds of one release differ from machine to machine
(torch for a CPU or for one CUDA version), so the release is pinned and the build left open: no local version suffix, no
address, no hash, and none of the CUDA libraries that one build of torch asks for.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

TORCH = "torch==2.13.0"
"""The tested release. Only the lock names it; pyproject.toml gives the range that works."""

HEADER = """\
# Everything `make` installs, for Python 3.11 and 3.12 on Linux x86-64. Written by `make lock`; do not edit.
"""


def main() -> None:
    """Resolve and print."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], TORCH]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    report = json.loads(subprocess.run([*command, *wanted], check=True, capture_output=True, text=True).stdout)
    pins = {
        item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"].partition("+")[0]
        for item in report["install"]
    }
    lines = [f"{name}=={pins[name]}" for name in sorted(pins) if not name.startswith(("nvidia-", "cuda-", "triton"))]
    sys.stdout.write(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

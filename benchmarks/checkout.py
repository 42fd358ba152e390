"""Paths in this checkout that benchmarks use."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Root of the checkout; `python -m benchmarks...` runs there."""

SAMPLES = ROOT / "samples"
SAMPLE = SAMPLES / "talking_astronaut.mp4"
"""60 s of 640x480 at 25 frames per second, with speech."""

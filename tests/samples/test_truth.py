"""Every stretch of the sample video gets the outcome that its truth file names, boundaries within 0.2 s."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_every_stretch_and_the_cut_agree_with_the_truth(repository: Path, curated_sample: Path) -> None:
    spec = importlib.util.spec_from_file_location("show_truth", repository / "samples" / "show_truth.py")
    assert spec is not None
    assert spec.loader is not None
    show_truth = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(show_truth)
    rows = show_truth.compare(curated_sample)
    assert {row.label for row in rows} == {
        "good", "turned", "shaken", "masked", "silent", "two_faces", "no_face", "cut",
    }  # fmt: skip
    assert [row for row in rows if not row.agrees] == []

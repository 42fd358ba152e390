"""Every stretch of the sample video gets the outcome that its truth file names, boundaries within 0.2 s."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from manifests.files.media import read_audio
from manifests.files.tables import read_table
from manifests.files.tar import MemberRange, read_member
from manifests.schema.arrow_arrays import numpy_of

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


def test_the_rendered_mouth_opens_with_the_rendered_voice(curated_sample: Path) -> None:
    """The sample's mouth follows its voice; lips and level of the clips must go together best when unshifted."""
    table = read_table(curated_sample, "clips")
    rows = table.select(["tier", "media", "flac_offset", "flac_size"]).to_pylist()
    shifts = range(-10, 11)
    fits = []
    for row, points in zip(rows, numpy_of(table["landmarks"]), strict=True):
        if row["tier"] != "diffusion":
            continue
        where = MemberRange(offset=row["flac_offset"], size=row["flac_size"])
        samples, _ = read_audio(read_member(curated_sample, row["media"], where))
        level = without_trend(np.log10(np.sqrt(np.mean(samples.reshape(-1, 640) ** 2, axis=1)) + 1e-3))
        gap = without_trend(np.linalg.norm(points[:, 13] - points[:, 14], axis=1))  # inner lips
        n = len(gap)
        fits.append(
            [np.corrcoef(gap[max(0, s) : n + min(0, s)], level[max(0, -s) : n + min(0, -s)])[0, 1] for s in shifts]
        )
    mean = np.mean(fits, axis=0)
    # The drawn mouth closes a little after the sound ends: its best fit lies between 0 and 1 tick.
    assert shifts[int(np.argmax(mean))] in {0, 1}
    assert mean.max() > 0.5


def without_trend(values: np.ndarray) -> np.ndarray:
    """Take out what is slower than a second."""
    return values - np.convolve(np.pad(values, 12, mode="edge"), np.ones(25) / 25, "valid")

"""Teaching on made stretches: the lips are a mixture of a few slow courses, the sound another mixture of the same."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from curation.perception.sync.fitting import contrastive
from curation.perception.sync.fitting.fit import UnfitDataError, fit
from curation.perception.sync.fitting.ridge import aligned
from curation.perception.sync.fitting.stretches import SpokenStretch
from foundation.array_types import Float64Array

N_FILES, N_TICKS = 12, 252

_MIX = np.random.default_rng(5)
_TO_LIPS, _TO_SOUND = _MIX.standard_normal((6, 26)), _MIX.standard_normal((6, 384))


def made(number: int, sound_late: int, *, of: int | None = None) -> SpokenStretch:
    """Return a stretch whose sound is late by some ticks; `of` gives it the sound of another file."""

    def course(name: int) -> Float64Array:
        noise = np.random.default_rng(name).standard_normal((N_TICKS + 60, 6))
        courses: Float64Array = gaussian_filter1d(noise, 2.0, axis=0) * 3.0
        return courses

    rng = np.random.default_rng(1000 + number)
    spoken = course(number if of is None else of)[30 - sound_late :][:N_TICKS]
    return SpokenStretch(
        file=f"file {number}",
        group=f"person {number}",
        first_tick=0,
        lengths=course(number)[30:][:N_TICKS] @ _TO_LIPS + 0.3 * rng.standard_normal((N_TICKS, 26)),
        speech=(spoken @ _TO_SOUND + 0.3 * rng.standard_normal((N_TICKS, 384))).astype(np.float32),
    )


def test_the_passes_find_the_offset_of_each_file_and_what_does_not_belong_together() -> None:
    late = [0, 3, -2, 0, 1, 0, -5, 0, 8, 0]
    stretches = [made(number, lag) for number, lag in enumerate(late)]
    stretches += [made(10, 0, of=77), made(11, 0, of=78)]
    found = aligned(stretches)
    assert found.kept.tolist() == [True] * 10 + [False] * 2
    assert found.offset[:10].tolist() == late
    assert found.offset[10:].tolist() == [0, 0]


def test_a_network_is_taught_and_tested_on_files_that_it_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "_STEPS", 30)
    stretches = [made(number, 2) for number in range(N_FILES - 1)] + [made(11, 0, of=77)]
    said: list[tuple[int, int]] = []
    found = fit(stretches, lambda done, total: said.append((done, total)))
    assert (found.n_stretches, found.n_kept) == (12, 11)
    assert said == [(number, 6) for number in range(1, 7)]
    in_sync = [found.z_by_file[f"file {number}"] for number in range(N_FILES - 1)]
    assert min(in_sync) > 4 > found.z_by_file["file 11"]
    assert found.share_in_sync == pytest.approx(11 / 12)


def test_sound_that_never_fits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "_STEPS", 2)
    with pytest.raises(UnfitDataError, match=r"0% of 12 files|hardly ever agree"):
        fit([made(number, 0, of=50 + number) for number in range(N_FILES)])


def test_too_little_is_refused() -> None:
    few = [made(number, 0) for number in range(3)]
    with pytest.raises(UnfitDataError, match=r"3 files with 30 s .* 10 files and 120 s are the least"):
        fit(few)
    short = [replace(one, lengths=one.lengths[:50], speech=one.speech[:50]) for one in few]
    with pytest.raises(UnfitDataError, match="0 files with 0 s"):
        fit(short)

"""What is kept between calls gives the same figures, and is never taken for other evidence or other settings."""

import os
import shutil
from pathlib import Path

import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

import curation
from curation.cli.app import app
from curation.what_if import counting
from curation.what_if.kept_figures import WhatIf
from foundation.errors import EXIT_CANNOT_START

VARY = "rules.frontal.strict_deg=1,20,40"


@pytest.fixture
def mute(small_run: SmallRun, tmp_path: Path) -> Path:
    """A copy of which no video has scores of lips against sound."""
    curation.redecide(small_run.dataset, tmp_path / "dataset")
    return tmp_path / "dataset"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _counted(dataset: Path, cache: Path | None, vary: str = VARY, **changes: float) -> tuple[WhatIf, int]:
    found = curation.vary(dataset, [vary], overrides=changes, cache=cache)
    return found, found.reused_videos


def _figures(found: WhatIf) -> list[object]:
    return [point.total for point in found.points]


def test_a_second_call_reads_no_evidence_and_gives_the_same_figures(
    mute: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = _figures(_counted(mute, None)[0])
    first, reused = _counted(mute, cache)
    assert (_figures(first), reused) == (without, 0)
    assert "earlier call" not in first.text()
    monkeypatch.setattr(counting, "evidence_of_videos", lambda *_, **__: pytest.fail("evidence was read"))
    second, reused = _counted(mute, cache)
    assert (_figures(second), reused) == (without, 2)
    assert "2 videos had been prepared by an earlier call" in second.text()
    other, reused = _counted(mute, cache, "rules.frontal.strict_deg=2:40:2")
    assert reused == 2, "other values of the same setting"
    assert _figures(other)[-1] == without[-1]


def test_other_settings_other_evidence_and_damaged_files_are_prepared_anew(mute: Path, cache: Path) -> None:
    without = _figures(_counted(mute, None)[0])
    _counted(mute, cache)
    strict, reused = _counted(mute, cache, **{"rules.mask.max_prob": 0.0})
    assert reused == 0
    assert _figures(strict) != without
    assert _counted(mute, cache, "rules.small_face.strict_px=10,20")[1] == 0
    for path in (mute / "frames").glob("*.parquet"):  # the same bytes in another file
        shutil.copy2(path, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
    again, reused = _counted(mute, cache)
    assert (_figures(again), reused) == (without, 0)
    for path in cache.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        path.write_bytes(path.read_bytes()[:-20])
    again, reused = _counted(mute, cache)
    assert (_figures(again), reused) == (without, 0)


def test_what_was_not_used_for_a_month_is_removed(mute: Path, cache: Path) -> None:
    _counted(mute, cache)
    (kept,) = cache.iterdir()
    os.utime(kept, (0, 0))
    _counted(mute, cache, "rules.small_face.strict_px=10,20")
    assert kept not in list(cache.iterdir())


def test_the_command_keeps_and_can_do_without(mute: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "own"))
    arguments = ["what-if", str(mute), "--vary", VARY]
    assert CliRunner().invoke(app, [*arguments, "--no-cache"]).exit_code == 0
    assert not (tmp_path / "own").exists()
    assert "earlier call" not in CliRunner().invoke(app, arguments).output
    assert "earlier call" in CliRunner().invoke(app, arguments).output
    shutil.rmtree(tmp_path / "own" / "what-if")
    (tmp_path / "own" / "what-if").symlink_to(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == EXIT_CANNOT_START
    assert "is a link" in done.output

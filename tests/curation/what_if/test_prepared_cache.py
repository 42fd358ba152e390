"""What is kept between calls gives the same figures, and is never taken for other evidence or other settings."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import curation
from curation.cli.app import app
from curation.decision.decide import decide
from curation.evidence.measures import Evidence
from curation.output.curated_video import decided_columns, write_decision
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.output.sole_writer import sole_writer_of_new
from curation.output.video_files import VideoFiles
from curation.settings import CurationSettings, load_settings
from curation.sources.entries import SourceVideo
from curation.what_if import counting
from curation.what_if.kept_figures import KeptRow, WhatIf
from foundation.errors import EXIT_CANNOT_START

VARY = "rules.small_face.strict_px=80,100,125"

TICKS = 100

SETTINGS = load_settings(CurationSettings(), None, ["perception.sync=none"])


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, make_evidence: Callable[..., Evidence]) -> Path:
    """Two videos of 4 s without scores of lips against sound: faces of 90 and of 120 px."""
    dataset, records = tmp_path_factory.mktemp("origin") / "dataset", []
    with sole_writer_of_new(dataset, "test", wait=False):
        folder = DatasetFolder.begin(dataset, SETTINGS, weights=[])
        for number, width in enumerate((90, 120)):
            box = np.tile(np.array([100.0, 80.0, 100.0 + width, 80.0 + width], np.float32), (TICKS, 1))
            evidence = make_evidence(TICKS, boxes=box)
            decision = decide(evidence, SETTINGS.rules)
            facts = {"video_id": f"{number:016x}", "source": "made", "speaker_id": None, "size_bytes": 9}
            video = SourceVideo(path=Path(f"/{number}.mp4"), **facts)
            write_decision(VideoFiles(dataset, video), evidence, decision, SETTINGS)
            facts |= {"path": f"/{number}.mp4", "duration_s": TICKS / 25, "status": "ok"}
            records.append(VideoRecord(**{**facts, **decided_columns(decision)}))
        folder.finish(records)
    return dataset


@pytest.fixture
def dataset(origin: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(origin, tmp_path / "dataset"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _counted(dataset: Path, cache: Path | None, vary: str = VARY, **changes: float) -> tuple[WhatIf, int]:
    found = curation.vary(dataset, [vary], overrides=changes, cache=cache)
    return found, found.reused_videos


def _figures(found: WhatIf) -> list[KeptRow | None]:
    return [point.total for point in found.points]


def test_a_second_call_reads_no_evidence_and_gives_the_same_figures(
    dataset: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = _figures(_counted(dataset, None)[0])
    assert len({row.kept_s["diffusion"] for row in without if row is not None}) == 3
    first, reused = _counted(dataset, cache)
    assert (_figures(first), reused) == (without, 0)
    assert "earlier call" not in first.text()
    monkeypatch.setattr(counting, "evidence_of_videos", lambda *_, **__: pytest.fail("evidence was read"))
    second, reused = _counted(dataset, cache)
    assert (_figures(second), reused) == (without, 2)
    assert "2 videos had been prepared by an earlier call" in second.text()
    other, reused = _counted(dataset, cache, "rules.small_face.strict_px=105:125:5")
    assert reused == 2, "other values of the same setting"
    assert _figures(other)[-1] == without[-1]


def test_other_settings_other_evidence_and_damaged_files_are_prepared_anew(dataset: Path, cache: Path) -> None:
    without = _figures(_counted(dataset, None)[0])
    _counted(dataset, cache)
    strict, reused = _counted(dataset, cache, **{"rules.mask.max_prob": 0.0})
    assert reused == 0
    assert _figures(strict) == _figures(_counted(dataset, None, **{"rules.mask.max_prob": 0.0})[0])
    assert _counted(dataset, cache, "rules.frontal.strict_deg=10,20")[1] == 0
    for path in (dataset / "frames").glob("*.parquet"):  # the same bytes in another file
        shutil.copy2(path, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
    again, reused = _counted(dataset, cache)
    assert (_figures(again), reused) == (without, 0)
    for path in cache.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        path.write_bytes(path.read_bytes()[:-20])
    again, reused = _counted(dataset, cache)
    assert (_figures(again), reused) == (without, 0)


def test_what_was_not_used_for_a_month_is_removed(dataset: Path, cache: Path) -> None:
    _counted(dataset, cache)
    (kept,) = cache.iterdir()
    os.utime(kept, (0, 0))
    _counted(dataset, cache, "rules.frontal.strict_deg=10,20")
    assert kept not in list(cache.iterdir())


def test_the_command_keeps_and_can_do_without(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "own"))
    arguments = ["what-if", str(dataset), "--vary", VARY]
    assert CliRunner().invoke(app, [*arguments, "--no-cache"]).exit_code == 0
    assert not (tmp_path / "own").exists()
    assert "earlier call" not in CliRunner().invoke(app, arguments).output
    assert "earlier call" in CliRunner().invoke(app, arguments).output
    shutil.rmtree(tmp_path / "own" / "what-if")
    (tmp_path / "own" / "what-if").symlink_to(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == EXIT_CANNOT_START
    assert "is a link" in done.output

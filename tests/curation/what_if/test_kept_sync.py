"""Scores of lips against sound that are kept between calls judge as those that were read, and tell nobody apart."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import curation
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

TICKS, HALF = 400, 200

SETTINGS = load_settings(
    CurationSettings(),
    None,
    # the mouth of the made face rests on some ticks
    ["perception.sync=none", "rules.sync.drop=all_but_in_sync", "rules.sync.min_pictures_hz=0"],
)

VIDEOS = {"in sync": (0.5, 0.5, 0.0), "not": (0.1, 0.1, 0.0), "one face": (0.5, 0.25, 0.0), "two": (0.5, 0.25, 3.0)}
"""Height of the peak before and after a cut at 8 s, and how far the descriptors after it lie from those before.

A peak of 0.5 over 200 ticks has z 7.1 and is in sync; one of 0.1 has 1.4 and is not; one of 0.25 has 3.54 and is left
open, unless the stretch before it shows the same face: over both z is 7.5.
"""

KEPT_S = {"in sync": 16.0, "not": 0.0, "one face": 16.0, "two": 8.0}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, make_evidence: Callable[..., Evidence]) -> Path:
    folder_path, records = tmp_path_factory.mktemp("synced") / "dataset", []
    with sole_writer_of_new(folder_path, "test", wait=False):
        folder = DatasetFolder.begin(folder_path, SETTINGS, weights=[])
        for number, (name, (before, after, away)) in enumerate(VIDEOS.items()):
            evidence = make_evidence(TICKS)
            scores = np.zeros((TICKS, 31), np.float32)
            scores[:HALF, 15], scores[HALF:, 15] = before, after
            descriptor = np.full_like(evidence.faces.descriptor, np.nan)
            descriptor[::25] = 0.1
            descriptor[HALF::25, 0] += away
            cut = np.zeros(TICKS, np.float32)
            cut[HALF] = 0.95
            faces = replace(evidence.faces, sync_scores=scores, descriptor=descriptor)
            evidence = replace(evidence, faces=faces, cut_score=cut)
            decision = decide(evidence, SETTINGS.rules)
            facts = {"video_id": f"{number:016x}", "source": name, "speaker_id": None, "size_bytes": 9}
            video = SourceVideo(path=Path(f"/{number}.mp4"), **facts)
            write_decision(VideoFiles(folder_path, video), evidence, decision, SETTINGS)
            facts |= {"path": f"/{number}.mp4", "duration_s": TICKS / 25, "status": "ok"}
            records.append(VideoRecord(**{**facts, **decided_columns(decision)}))
        folder.finish(records)
    return folder_path


def _kept_s(dataset: Path, cache: Path, vary: str) -> tuple[list[dict[str, float]], int]:
    found = curation.vary(dataset, [vary], cache=cache)
    kept = [{row.source: row.kept_s["diffusion"] for row in point.sources} for point in found.points]
    return kept, found.reused_videos


def test_a_second_call_judges_lips_and_sound_without_reading_them(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vary = "rules.small_face.strict_px=80,100"
    assert _kept_s(dataset, tmp_path / "cache", vary) == ([KEPT_S, KEPT_S], 0)
    monkeypatch.setattr(counting, "evidence_of_videos", lambda *_, **__: pytest.fail("evidence was read"))
    assert _kept_s(dataset, tmp_path / "cache", vary) == ([KEPT_S, KEPT_S], 4)


def test_limits_of_sync_are_tried_on_what_is_kept(dataset: Path, tmp_path: Path) -> None:
    vary = "rules.sync.drop=nothing,all_but_in_sync"
    everything = dict.fromkeys(VIDEOS, TICKS / 25)
    assert _kept_s(dataset, tmp_path / "cache", vary) == ([everything, KEPT_S], 0)
    assert _kept_s(dataset, tmp_path / "cache", vary) == ([everything, KEPT_S], 4)
    strict = "rules.sync.in_sync_z=4.0,7.2,9.0"
    again, reused = _kept_s(dataset, tmp_path / "cache", strict)
    assert reused == 4
    assert [one["one face"] for one in again] == [16.0, 16.0, 0.0]


def test_no_descriptor_of_a_face_is_kept_as_it_is(dataset: Path, tmp_path: Path) -> None:
    _kept_s(dataset, tmp_path / "cache", "rules.small_face.strict_px=80,100")
    (path,) = (tmp_path / "cache").iterdir()
    with np.load(path) as arrays:
        (name,) = (name for name in arrays if name.endswith("sync.descriptor"))
        kept = arrays[name].reshape(len(VIDEOS), 16, -1)
    plain = np.full(kept.shape[2], 0.1)
    away = plain + 3.0 * (np.arange(kept.shape[2]) == 0)
    turned = [one[0] for one in kept]
    assert all(np.linalg.norm(one - plain) > 0.1 for one in turned)
    assert np.linalg.norm(turned[0] - turned[1]) > 0.1, "the same face in two videos is turned in two ways"
    assert np.linalg.norm(kept[3][15] - kept[3][0]) == pytest.approx(np.linalg.norm(away - plain), rel=1e-5)

"""Long videos, decided as a whole and rendered in slices: what is put together is what one piece gives."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_evidence import part
from helpers.made_videos import TalkingFace, frame_times, talking_video
from helpers.older_datasets import LATER_COLUMNS, Steady, forget_comparison

from curation.analysis.windows import plan_windows
from curation.decision.decide import ClipPlan, decide
from curation.engine import units, worker
from curation.engine.event_log import events_path
from curation.engine.events import RunHooks, UnitEvent
from curation.engine.execution import Executor
from curation.engine.inline import curate_inline
from curation.engine.units import AnalyzeVideo, DecideVideo, GatherVideo, MeasureWindow, RenderSlice, Unit
from curation.engine.worker import WorkerPlan
from curation.evidence.joining import with_audio
from curation.evidence.measures import Evidence, FaceMeasures, Faces
from curation.model_registry import SYNC, register_model
from curation.operations.run import run
from curation.output.curated_video import landmarks_of
from curation.output.frame_rows import frames_table
from curation.output.long_video import stored_clips, write_decided
from curation.output.video_files import WINDOWS as FOLDER
from curation.output.video_files import VideoFiles
from curation.output.window_files import read_windows, write_window
from curation.output.window_shapes import WindowShapes
from curation.perception.cards import SyncCard
from curation.rendering.clip_sound import speech_heard
from curation.rendering.render import evidence_of_clips
from curation.rendering.slices import divide_clips
from curation.settings import CurationSettings, load_settings
from curation.sources.discover import discover
from curation.sources.entries import SourceVideo
from foundation.storage.arrow import read_parquet
from manifests.files.tables import read_table
from manifests.packing.shards import MEDIA_COLUMNS
from manifests.reports.validate import validate
from manifests.timeline import Window

ID = "00ff00ff00ff00ff"
VIDEO = SourceVideo(path=Path("a.mp4"), video_id=ID, source="made", speaker_id=None, size_bytes=1)
QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none", "perception.sync=none"])
"""One face and its sound; few models."""
FROZEN = ["rules.still_face.min_motion=0", "rules.silence.min_lip_motion=0"]
"""The second half of the video is a held picture with a voice."""
SLICED = load_settings(
    QUIET, None, ["windows.length_s=8", "rules.too_short.min_s=2", "rules.too_short.max_clip_s=4", *FROZEN]
)


@pytest.fixture
def spoilt(make_evidence: Callable[..., Evidence], make_faces: Callable[..., Faces]) -> Evidence:
    """A face that moves, misses bridged across both seams, a longer miss, a second face here and there, a cut."""
    ticks = np.r_[0:198, 203:399, 402:430, 460:500]
    wide = make_faces(ticks)
    drift = (0.4 * np.sin(ticks / 9.0)).astype(np.float32)[:, None, None]
    wide = dataclasses.replace(
        wide,
        landmarks_px=wide.landmarks_px + drift,
        blendshapes=np.abs(np.sin(np.arange(len(ticks) * 52).reshape(-1, 52))).astype(np.float32),
        mask_prob=(np.arange(len(ticks)) / 5000).astype(np.float32),
    )
    narrow = make_faces(np.r_[150:160, 190:198, 410:415], x0=500.0, width=60.0)
    narrow = dataclasses.replace(narrow, blendshapes=np.full((len(narrow), 52), 0.25, np.float32))
    order = np.lexsort((-np.concatenate([wide.width_px, narrow.width_px]), np.concatenate([wide.tick, narrow.tick])))
    joined = {
        f.name: None
        if getattr(wide, f.name) is None
        else np.concatenate([getattr(wide, f.name), getattr(narrow, f.name)])[order]
        for f in dataclasses.fields(Faces)
    }
    evidence = make_evidence(500, faces=Faces(**joined))
    cut_score = evidence.cut_score.copy()
    cut_score[100] = 1e6
    speech_prob = np.linspace(0.6, 1.0, 500).astype(np.float32)
    return dataclasses.replace(evidence, cut_score=cut_score, speech_prob=speech_prob)


WINDOWS = [Window(first_tick=k, end_tick=min(k + 200, 500)) for k in (0, 200, 400)]


def decided_in_windows(dataset: Path, evidence: Evidence, windows: list[Window], settings: CurationSettings) -> None:
    """Write windows of the evidence, and what is decided on them."""
    files = VideoFiles(dataset, VIDEO)
    for window in windows:
        write_window(files, window, part(evidence, window.first_tick, window.end_tick), 1.0)
    pictures, _ = read_windows(files, windows)
    light = with_audio(pictures, evidence)
    write_decided(files, windows, light, decide(light, settings.rules), settings)


def test_rows_written_window_by_window_are_those_of_one_piece(spoilt: Evidence, tmp_path: Path) -> None:
    settings = load_settings(QUIET, None, ["perception.faces=dlib", "rules.no_face.bridge_ticks=5"])
    decided_in_windows(tmp_path, spoilt, WINDOWS, settings)
    decision = decide(spoilt, settings.rules)
    assert decision.main.bridged[[198, 202, 399, 401]].all()
    expected = frames_table(ID, spoilt, decision, landmarks_of(settings))
    assert read_parquet(tmp_path / FOLDER / f"{ID}-frames.parquet").equals(expected)
    spans = read_parquet(tmp_path / FOLDER / f"{ID}-spans.parquet")
    assert spans.num_rows == len(decision.spans)


def test_what_was_measured_of_the_complete_video_is_in_the_rows_of_its_windows(
    spoilt: Evidence, tmp_path: Path
) -> None:
    settings = load_settings(QUIET, None, ["perception.faces=dlib", "rules.no_face.bridge_ticks=5"])
    files, n_faces = VideoFiles(tmp_path, VIDEO), len(spoilt.faces)
    speaking = np.linspace(0.0, 1.0, n_faces).astype(np.float32)
    speaking[::7] = np.nan
    scores = np.linspace(-1.0, 1.0, n_faces * 31).astype(np.float16).astype(np.float32).reshape(n_faces, 31)
    measured = dataclasses.replace(
        spoilt, faces=dataclasses.replace(spoilt.faces, speaking_prob=speaking, sync_scores=scores)
    )
    for window in WINDOWS:
        write_window(files, window, part(spoilt, window.first_tick, window.end_tick), 1.0)
    decision = decide(measured, settings.rules)
    write_decided(files, WINDOWS, measured, decision, settings)
    expected = frames_table(ID, measured, decision, landmarks_of(settings))
    assert read_parquet(tmp_path / FOLDER / f"{ID}-frames.parquet").equals(expected)
    shapes_of, chosen = WindowShapes(files, WINDOWS, spoilt.faces.tick), np.r_[3, 190:230, n_faces - 1]
    landmarks, blendshapes = shapes_of(chosen)
    np.testing.assert_array_equal(landmarks, spoilt.faces.landmarks_px[chosen])
    np.testing.assert_array_equal(blendshapes, spoilt.faces.blendshapes[chosen])


@pytest.mark.parametrize("first", [175, 176, 188, 199, 200])
def test_the_longest_bridge_is_the_same_wherever_the_seam_lies_in_it(
    first: int, make_evidence: Callable[..., Evidence], make_faces: Callable[..., Faces], tmp_path: Path
) -> None:
    settings = load_settings(
        QUIET, None, ["perception.faces=dlib", "rules.no_face.bridge_ticks=25", "windows.length_s=8"]
    )
    ticks = np.r_[0:first, first + 25 : 400]
    faces = make_faces(ticks)
    faces = dataclasses.replace(faces, luma=ticks.astype(np.float32))
    evidence = make_evidence(400, faces=faces)
    decided_in_windows(tmp_path, evidence, plan_windows(400, settings.windows), settings)
    rows = read_parquet(tmp_path / FOLDER / f"{ID}-frames.parquet")
    assert rows["luma"].to_pylist() == pytest.approx(list(range(400)), abs=1e-3)
    assert rows["interpolated"].to_numpy().sum() == 25


def test_clips_find_the_rows_that_one_piece_gives_them(spoilt: Evidence, tmp_path: Path) -> None:
    settings = load_settings(
        QUIET, None, ["perception.faces=dlib", "rules.too_short.min_s=1.5", "rules.too_short.max_clip_s=3.2"]
    )
    decided_in_windows(tmp_path, spoilt, WINDOWS, settings)
    decision = decide(spoilt, settings.rules)
    assert len(decision.clips) >= 3
    got = list(stored_clips(VideoFiles(tmp_path, VIDEO), decision.clips))
    for one, other in zip(got, evidence_of_clips(spoilt, decision), strict=True):
        assert one.plan == other.plan
        np.testing.assert_array_equal(one.speech_prob, other.speech_prob)
        for field in dataclasses.fields(FaceMeasures):
            left, right = getattr(one.face, field.name), getattr(other.face, field.name)
            if field.name == "blendshapes":
                right = right.astype(np.float16).astype(np.float32)  # as stored
            np.testing.assert_array_equal(left, right, field.name)


@pytest.mark.parametrize("lag_samples", [0, 1920, -1920, 319, 320, 7680])
def test_clips_whose_sound_is_moved_hear_what_one_piece_gives_them(
    lag_samples: int, spoilt: Evidence, tmp_path: Path
) -> None:
    decided_in_windows(tmp_path, spoilt, WINDOWS, load_settings(QUIET, None, ["perception.faces=dlib"]))
    plans = [
        ClipPlan(first_tick=first, end_tick=first + 40, tier="vae", sound_lag_samples=lag_samples)
        for first in (0, 120, 390)
    ]
    got = list(stored_clips(VideoFiles(tmp_path, VIDEO), plans))
    for one, plan in zip(got, plans, strict=True):
        np.testing.assert_array_equal(one.speech_prob, speech_heard(spoilt, plan))
    assert spoilt.speech_prob is not None
    moved = round(lag_samples / 640)  # to the nearest tick, an even one in between
    np.testing.assert_array_equal(got[1].speech_prob, spoilt.speech_prob[120 + moved : 160 + moved])


def test_a_clip_without_an_identity_descriptor_has_none(spoilt: Evidence, tmp_path: Path) -> None:
    settings = load_settings(QUIET, None, ["perception.faces=dlib"])
    decided_in_windows(tmp_path, spoilt, WINDOWS, settings)
    (clip,) = stored_clips(VideoFiles(tmp_path, VIDEO), [ClipPlan(first_tick=26, end_tick=46, tier="vae")])
    assert clip.face.descriptor.shape == (20, 0)
    assert clip.face.blendshapes is not None
    assert clip.face.jitter_points_px is None


def test_a_clip_whose_rows_are_not_there_is_refused(spoilt: Evidence, tmp_path: Path) -> None:
    settings = load_settings(QUIET, None, ["perception.faces=dlib"])
    decided_in_windows(tmp_path, spoilt, WINDOWS, settings)
    with pytest.raises(ValueError, match="holds 20 of the ticks 480 to 520"):
        list(stored_clips(VideoFiles(tmp_path, VIDEO), [ClipPlan(first_tick=480, end_tick=520, tier="vae")]))


def test_the_rules_windows_are_read_for_do_not_bring_landmarks(spoilt: Evidence, tmp_path: Path) -> None:
    files = VideoFiles(tmp_path, VIDEO)
    write_window(files, WINDOWS[0], part(spoilt, 0, 200), 2.0)
    seen, spent_s = read_windows(files, WINDOWS[:1])
    assert (spent_s, seen.faces.landmarks_px.shape[1:], seen.faces.blendshapes) == (2.0, (0, 2), None)
    np.testing.assert_array_equal(seen.faces.key_points_px, part(spoilt, 0, 200).faces.key_points_px)


def test_slices_hold_no_more_than_they_may_but_for_a_longer_clip() -> None:
    clips = [ClipPlan(first_tick=a, end_tick=b, tier="vae") for a, b in ((0, 90), (90, 200), (300, 600), (700, 790))]
    assert [piece.clips for piece in divide_clips(clips, 200)] == [tuple(clips[:2]), (clips[2],), (clips[3],)]
    assert divide_clips([], 200) == ()


@pytest.fixture(scope="module")
def source(talking_face: TalkingFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One video of 16 s."""
    folder = tmp_path_factory.mktemp("long") / "source"
    folder.mkdir()
    sound = talking_face.sound(0.0, 8.0)
    samples = np.tile(sound.samples, 2)
    talking_video(
        folder / "a.mp4",
        talking_face,
        frame_times(Fraction(25), 400),
        sound=dataclasses.replace(sound, samples=samples),
    )
    return folder


@pytest.fixture(scope="module")
def undisturbed(source: Path) -> Path:
    dataset = source.parent / "undisturbed"
    run(str(source), dataset, SLICED, Executor())
    return dataset


def files(dataset: Path) -> dict[str, bytes]:
    """All that two datasets of one source have in common: rows and media."""
    return {
        str(path.relative_to(dataset)): path.read_bytes()
        for folder in ("frames", "spans", "clips", "media")
        for path in sorted((dataset / folder).iterdir())
    }


@pytest.mark.slow
def test_a_run_in_slices_writes_the_rows_and_media_of_a_run_in_one_piece(source: Path, undisturbed: Path) -> None:
    whole = source.parent / "whole"
    run(str(source), whole, load_settings(SLICED, None, ["windows.length_s=3600"]), Executor())
    one, many = files(whole), files(undisturbed)
    (frames,) = (name for name in one if name.startswith("frames/"))
    assert read_table(undisturbed, "clips").num_rows >= 3
    assert not list((undisturbed / FOLDER).iterdir())
    assert validate(undisturbed) == []
    same = [name for name in one if name != frames]
    assert {name: many[name] for name in same} == {name: one[name] for name in same}
    rows, expected = read_table(undisturbed, "frames"), read_table(whole, "frames")
    masks = ("mask_prob", "mask_measured")  # a mask is looked for beside a seam
    assert rows.drop_columns(masks).equals(expected.drop_columns(masks))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_units", "left"),
    [
        (2, ["video", "ticks 200 to 400", "decide", "clips in ticks 0 to 200", "clips in ticks 200 to 400", "gather"]),
        (4, ["video", "decide", "clips in ticks 0 to 200", "clips in ticks 200 to 400", "gather"]),
        (5, ["video", "decide", "clips in ticks 200 to 400", "gather"]),
        (6, ["video", "decide", "gather"]),
    ],
)
def test_a_run_that_ends_between_two_steps_goes_on_there(
    source: Path, undisturbed: Path, tmp_path: Path, n_units: int, left: list[str]
) -> None:
    dataset = tmp_path / "dataset"
    ended: list[type[Unit]] = []

    def note(event: UnitEvent) -> None:
        if event.kind == "end":
            ended.append(type(event.unit))

    plan = WorkerPlan(settings=SLICED, dataset=dataset)
    run(str(source), dataset, SLICED, Executor(), limit=0)
    videos = discover(str(source)).videos
    list(curate_inline(plan, videos, RunHooks(on_event=note, stopped=lambda: len(ended) == n_units)))
    kinds = [AnalyzeVideo, MeasureWindow, MeasureWindow, DecideVideo, RenderSlice, RenderSlice, GatherVideo]
    assert ended == kinds[:n_units]
    run(str(source), dataset, SLICED, Executor())
    log = [json.loads(line) for line in events_path(dataset).read_text().splitlines()]
    again = [line["unit"].split(" ", 1)[1] for line in log if line["event"] == "begin"]
    assert again == left
    assert files(dataset) == files(undisturbed)


def test_a_long_video_of_before_is_completed_from_its_rows(
    source: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SYNC, "_own", {})
    register_model(SyncCard(name="steady", scheme="mediapipe478", load=lambda _settings: Steady()))
    dataset = tmp_path / "dataset"
    shutil.copytree(undisturbed, dataset)
    forget_comparison(dataset, {})
    before = {name: read_table(dataset, name) for name in ("frames", "clips")}

    def measured(*_: object) -> None:
        raise AssertionError("it was measured again")

    monkeypatch.setattr(units, "analyze_looked_at", measured)
    for name in ("analyze_audio_of", "render_clips"):
        monkeypatch.setattr(worker, name, measured if name == "analyze_audio_of" else lambda *_, **__: ())
    report = run(str(source), dataset, load_settings(SLICED, None, ["perception.sync=steady"]), Executor())
    assert report.failed == ()
    assert validate(dataset) == []
    for name, table in before.items():
        now = read_table(dataset, name)
        same = [one for one in now.column_names if one not in (*LATER_COLUMNS, "other_faces", *MEDIA_COLUMNS)]
        assert now.select(same).equals(table.select(same))
    clips = read_table(dataset, "clips").to_pylist()
    assert {clip["sync"] for clip in clips if clip["tier"] == "diffusion"} == {"in_sync"}
    scores = read_table(dataset, "frames", ["sync_scores"])["sync_scores"]
    assert scores.null_count < len(scores) / 2

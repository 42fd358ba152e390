"""Long videos in windows: what is put together from them is what one pass gives."""

import dataclasses
import itertools
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_evidence import part
from helpers.made_videos import SmallRun, TalkingFace, frame_times, talking_video

from curation.analysis.analyze import WINDOW_STEP_TICKS, analyze, analyze_audio, analyze_frames
from curation.analysis.windows import WindowSettings, plan_windows
from curation.decision.decide import RulesSettings, decide
from curation.engine.execution import Executor
from curation.evidence.joining import stitch, with_audio
from curation.evidence.measures import Evidence, Faces, FrameEvidence
from curation.media.probe import probe
from curation.operations.run import run
from curation.output.ledger import read_ledger
from curation.output.video_files import VideoFiles
from curation.output.window_files import read_window, read_windows, remove_windows, write_window
from curation.perception.models import Perception, load_perception, perception_assets
from curation.perception.settings import PerceptionSettings
from curation.settings import PRESETS, CurationSettings, load_settings
from curation.sources.entries import SourceVideo
from foundation.weights import ensure_assets
from manifests.files.tables import read_table
from manifests.timeline import Window


@pytest.fixture(scope="module")
def models() -> Perception:
    ensure_assets(perception_assets(PerceptionSettings()))
    return load_perception(PerceptionSettings())


def files_of(dataset: Path, video_id: str) -> VideoFiles:
    video = SourceVideo(path=Path("a.mp4"), video_id=video_id, source="made", speaker_id=None, size_bytes=1)
    return VideoFiles(dataset, video)


def picture_evidence(evidence: Evidence) -> FrameEvidence:
    return FrameEvidence(decoded=evidence.decoded, faces=evidence.faces, cut_score=evidence.cut_score)


def assert_equal(one: FrameEvidence, other: FrameEvidence) -> None:
    assert np.array_equal(one.decoded, other.decoded)
    assert np.array_equal(one.cut_score, other.cut_score)
    for field in dataclasses.fields(Faces):
        left, right = getattr(one.faces, field.name), getattr(other.faces, field.name)
        assert (left is None) == (right is None), field.name
        if left is not None:
            assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), field.name


def test_windows_cover_every_tick_once_and_begin_where_all_strides_begin() -> None:
    windows = plan_windows(11_000, WindowSettings(length_s=180))
    assert [(window.first_tick, window.end_tick) for window in windows] == [(0, 4500), (4500, 9000), (9000, 11_000)]
    assert all(window.first_tick % WINDOW_STEP_TICKS == 0 for window in plan_windows(5000, WindowSettings(length_s=9)))


def test_a_video_of_exactly_one_window_is_not_divided() -> None:
    assert plan_windows(4500, WindowSettings()) == [Window(first_tick=0, end_tick=4500)]


def test_parts_put_together_are_the_whole(make_evidence: Callable[..., Evidence], tmp_path: Path) -> None:
    whole = make_evidence(300)
    windows = [Window(first_tick=0, end_tick=200), Window(first_tick=200, end_tick=300)]
    files = files_of(tmp_path, "a" * 16)
    for window in windows:
        write_window(files, window, part(whole, window.first_tick, window.end_tick), 1.5)
    assert_equal(stitch([read_window(files, window) for window in windows]), picture_evidence(whole))
    assert read_windows(files, windows)[1] == 3.0


def test_a_window_without_a_face_does_not_hide_what_the_others_measured(
    make_evidence: Callable[..., Evidence], make_faces: Callable[..., Faces]
) -> None:
    with_shapes = dataclasses.replace(make_faces(np.arange(100)), blendshapes=np.full((100, 52), 0.5, np.float32))
    first = picture_evidence(make_evidence(100, faces=with_shapes))
    empty = picture_evidence(make_evidence(50, faces=make_faces(np.array([], np.int64))))
    blendshapes = stitch([first, empty]).faces.blendshapes
    assert blendshapes is not None
    assert blendshapes.shape == (100, 52)


def test_removing_leaves_the_windows_of_other_videos(make_evidence: Callable[..., Evidence], tmp_path: Path) -> None:
    window = Window(first_tick=0, end_tick=100)
    for video_id in ("a" * 16, "b" * 16):
        write_window(files_of(tmp_path, video_id), window, picture_evidence(make_evidence(100)), 1.0)
    remove_windows(tmp_path, {"a" * 16})
    assert [path.name[:16] for path in (tmp_path / "windows").iterdir()] == ["b" * 16]


def test_what_ended_videos_have_left_goes_with_the_next_run(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    shutil.copytree(small_run.dataset, dataset)
    ended = next(iter(read_ledger(dataset)))
    for video_id in (ended, "b" * 16):
        for suffix in (".npz", ".parquet", ".tar"):
            path = files_of(dataset, video_id).step(Window(first_tick=0, end_tick=200), suffix)
            path.parent.mkdir(exist_ok=True)
            path.touch()
    run(str(small_run.source), dataset, CurationSettings(), Executor())
    assert {path.name[:16] for path in (dataset / "windows").iterdir()} == {"b" * 16}


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["WDA_KatieHill_000", "3ddfa_obama", "fr_hamilton"])
def test_windows_of_a_real_clip_give_the_evidence_and_the_decisions_of_one_pass(
    clip: str, models: Perception, shared_clips: Path
) -> None:
    info = probe(shared_clips / f"{clip}.mp4")
    end = min(info.n_ticks, 150)
    info = dataclasses.replace(info, n_ticks=end)
    whole = analyze(info, models, 0, end)
    seams = [0, 50, 75, end] if end > 75 else [0, 25, end]
    parts = [analyze_frames(info, models, a, b) for a, b in itertools.pairwise(seams)]
    stitched = with_audio(stitch(parts), analyze_audio(info, models, 0, end))
    for column in ("decoded", "cut_score", "speech_prob", "loudness_dbfs"):
        assert np.array_equal(getattr(stitched, column), getattr(whole, column)), column
    for column in ("tick", "box_px", "landmarks_px", "pose_deg", "blendshapes", "score", "sharpness"):
        assert np.array_equal(getattr(stitched.faces, column), getattr(whole.faces, column)), column
    # a mask is measured on the ticks beside a seam, and between two measurements that agree without one
    assert stitched.faces.mask_prob == pytest.approx(whole.faces.mask_prob, abs=0.2)
    away = np.all([np.abs(whole.faces.tick - seam) > 5 for seam in seams[1:-1]], axis=0)
    assert np.array_equal(stitched.faces.mask_prob[away], whole.faces.mask_prob[away])
    rules = RulesSettings()
    assert decide(stitched, rules).clips == decide(whole, rules).clips
    ours, theirs = ([(s.first_tick, s.end_tick, s.tier, s.outcome) for s in decide(e, rules).spans]
                    for e in (stitched, whole))  # fmt: skip
    assert ours == theirs


@pytest.mark.slow
def test_a_run_in_windows_keeps_the_clips_of_a_run_in_one_piece(talking_face: TalkingFace, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    talking_video(source / "a.mp4", talking_face, frame_times(Fraction(25), 300))
    settings = load_settings(PRESETS["embedded"], None, ["speech.denoiser=none", "speech.encoder=none"])
    divided = settings.model_copy(update={"windows": WindowSettings(length_s=8)})
    for name, config in (("one", settings), ("many", divided)):
        run(str(source), tmp_path / name, config, Executor())
    one, many = (
        read_table(tmp_path / name, "clips", ["clip_id", "tier", "mp4_sha256", "flac_sha256"])
        for name in ("one", "many")
    )
    assert one.num_rows > 0
    assert many.equals(one)
    assert not list((tmp_path / "many" / "windows").iterdir())


@pytest.fixture
def small_window(tmp_path: Path, make_evidence: Callable[..., Evidence]) -> tuple[VideoFiles, Window, Path]:
    files, window = files_of(tmp_path, "0123456789abcdef"), Window(first_tick=0, end_tick=4)
    write_window(files, window, part(make_evidence(8), 0, 4), 0.5)
    return files, window, files.step(window, ".npz")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("decoded", np.ones(5, np.bool_)),
        ("cut_score", np.zeros((4, 2), np.float32)),
        ("faces.tick", np.array([10**9])),
        ("faces.tick", np.array([-1])),
        ("faces.box_px", np.zeros((9, 4), np.float32)),
        ("spent_s", np.zeros(3)),
    ],
)
def test_a_window_that_holds_something_else_is_refused_by_name(
    small_window: tuple[VideoFiles, Window, Path], name: str, values: np.ndarray
) -> None:
    files, window, path = small_window
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored} | {name: values}
    np.savez(path, **arrays)
    with pytest.raises(OSError, match=f"{path.name} is damaged"):
        read_window(files, window)


def test_a_window_that_unpacks_to_more_than_its_file_is_refused(
    small_window: tuple[VideoFiles, Window, Path],
) -> None:
    files, window, path = small_window
    np.savez_compressed(path, decoded=np.zeros(10**7, np.bool_))
    with pytest.raises(OSError, match="claims to hold"):
        read_window(files, window)


def test_a_window_that_is_a_link_is_not_read(small_window: tuple[VideoFiles, Window, Path], tmp_path: Path) -> None:
    files, window, path = small_window
    path.rename(tmp_path / "elsewhere.npz")
    path.symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(OSError, match="is a link"):
        read_window(files, window)

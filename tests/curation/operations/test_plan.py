"""Looks at a few videos: which ones, what they write, and how near the forecast comes to the run itself."""

from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import TalkingFace, counted_video, frame_times, read_count, talking_video
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.execution import Executor
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.operations.plan import Plan, Sampling, _stretch, plan, sample
from curation.operations.run import run
from curation.settings import CurationSettings, load_settings
from curation.sources.entries import SourceVideo
from manifests.reports.statistics import statistics

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])


def video(number: int, size_bytes: int) -> SourceVideo:
    return SourceVideo(
        path=Path(f"{number}.mp4"), video_id=f"{number:016x}", source="", speaker_id=None, size_bytes=size_bytes
    )


@pytest.mark.parametrize(("n_videos", "n_looks"), [(3, 3), (5, 5), (100, 5), (251, 6), (1000, 20)])
def test_two_in_a_hundred_and_at_least_five_are_looked_at(n_videos: int, n_looks: int) -> None:
    chosen = sample([video(k, 1000 + k) for k in range(n_videos)], Sampling())
    assert len({v.video_id for v in chosen}) == len(chosen) == n_looks


def test_looks_are_spread_over_sizes_whatever_the_order_and_another_seed_takes_others() -> None:
    videos = [video(k, (k * 7919) % 1000) for k in range(1000)]
    chosen = sample(videos, Sampling())
    assert [v.size_bytes // 50 for v in chosen] == list(range(20))
    assert sample(videos[::-1], Sampling()) == chosen
    others = sample(videos, Sampling(seed=1))
    assert [v.size_bytes // 50 for v in others] == list(range(20))
    assert len(set(others) - set(chosen)) > 10


def test_a_stretch_is_a_piece_of_the_video_at_its_place(tmp_path: Path) -> None:
    info = probe(counted_video(tmp_path / "a.mp4", frame_times(Fraction(25), 600)))
    shown = []
    for chance in (0.0, 0.5, 0.999):
        stretch = _stretch(info, (0, 600), chance)
        assert stretch.n_ticks == 500
        (frame,) = tick_frames(stretch, 3, 4)
        assert frame.rgb is not None
        shown.append(read_count(frame.rgb) - 3)
    assert shown == [0, 50, 100]  # 600 - 500 ticks leave the places 0, 25, 50, 75 and 100
    assert _stretch(info, (20, 100), 0.999).n_ticks == 80
    (frame,) = tick_frames(_stretch(info, (20, 100), 0.999), 0, 1)
    assert frame.rgb is not None
    assert read_count(frame.rgb) == 20
    assert _stretch(probe(counted_video(tmp_path / "b.mp4", frame_times(Fraction(25), 80))), (0, 80), 0.9).n_ticks == 80


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    """Eight videos of 3 to 6 s, every second one mute, and a text."""
    folder = tmp_path_factory.mktemp("planned") / "raw"
    folder.mkdir()
    for number in range(8):
        n_frames = 75 + 10 * number
        sound = None if number % 2 else talking_face.sound(0.0, n_frames / 25)
        talking_video(folder / f"{number}.mp4", talking_face, frame_times(Fraction(25), n_frames), sound=sound)
    (folder / "text.mp4").write_text("no video")
    return folder


def planned(source: Path, share: float) -> Plan:
    return plan(
        str(source), source.parent / "dataset", QUIET, Executor(), sampling=Sampling(share=share, at_least=4, seed=2)
    )


@pytest.mark.slow
def test_the_run_comes_out_within_the_intervals_which_shrink_with_more_looks(source: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in source.parent.rglob("*")}
    few, all_of_them = planned(source, 0.0), planned(source, 1.0)
    assert {path: path.stat().st_mtime_ns for path in source.parent.rglob("*")} == before
    assert (len(few.looks), len(all_of_them.looks)) == (4, 9)

    run(str(source), tmp_path / "dataset", QUIET, Executor())
    total = statistics(tmp_path / "dataset").total
    disk_bytes = sum(path.stat().st_size for path in (tmp_path / "dataset").rglob("*") if path.is_file())
    for told in (few.forecast, all_of_them.forecast):
        assert told.duration_s.low <= total.raw_s <= told.duration_s.high
        assert told.kept_s["diffusion"].low <= total.kept_s["diffusion"] <= told.kept_s["diffusion"].high
        assert told.kept_s["vae"].low <= total.kept_s["vae"] <= told.kept_s["vae"].high
        assert disk_bytes / 3 < told.disk_bytes.expected < disk_bytes * 3
    # every video is shorter than a look: with all of them there is nothing left to guess
    assert all_of_them.forecast.duration_s.high == all_of_them.forecast.duration_s.low == pytest.approx(total.raw_s)
    assert all_of_them.forecast.kept_s["vae"].expected == pytest.approx(total.kept_s["vae"])
    assert few.forecast.duration_s.high > few.forecast.duration_s.low
    (problem,) = all_of_them.problems
    assert "text.mp4: unreadable" in problem


def test_the_command_takes_the_options_of_run_and_writes_nothing(source: Path, tmp_path: Path) -> None:
    arguments = ["plan", "--source", str(source), "--out", str(tmp_path / "dataset"), "--preset", "embedded"]
    arguments += ["--limit", "2", "--set", "speech.encoder=none", "--set", "speech.denoiser=none", "--workers", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "Looked at 2 of 2 videos, 6 s of video." in result.output
    assert "It is bound by" in result.output
    assert list(tmp_path.iterdir()) == []


def test_there_is_nothing_to_plan_once_all_is_done_and_other_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    counted_video(tmp_path / "raw" / "a.mp4", frame_times(Fraction(25), 3))
    run(str(tmp_path / "raw"), tmp_path / "dataset", QUIET, Executor())
    arguments = ["plan", "--source", str(tmp_path / "raw"), "--out", str(tmp_path / "dataset"), "--preset", "embedded"]
    quiet = ["--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
    done = CliRunner().invoke(app, [*arguments, *quiet])
    assert (done.exit_code, "no video is left to curate" in done.output) == (2, True)
    other = CliRunner().invoke(app, arguments)
    assert (other.exit_code, "speech.encoder" in other.output) == (2, True)

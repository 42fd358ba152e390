import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.square_faces import SquareFaces, square_video

from foundation.errors import UsageError
from training import EvaluationTable, evaluate_outputs
from training.comparison import video_features
from training.comparison.result_text import latex_table
from training.ratings.rated_videos import UnusableVideosError


@pytest.fixture
def table(folders: Path, faces: SquareFaces, cache: Path) -> EvaluationTable:
    outputs = {name: folders / name for name in ("exact", "right", "short")}
    return evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache)


def value(table: EvaluationTable, system: str, column: str) -> float:
    score = table.score(system, column)
    assert score is not None
    return score.value


def test_a_copy_of_the_truth_is_perfect(table: EvaluationTable) -> None:
    assert [value(table, "exact", column) for column in ("akd", "akd68", "lmd", "csim_dlib")] == pytest.approx(
        [0, 0, 0, 1], abs=1e-6
    )
    assert value(table, "exact", "ssim") == 1.0
    assert table.score("exact", "psnr") is None
    assert "exact: 90 frames equal the truth and have no finite PSNR; it leaves them out" in table.notes
    # a mouth that moves evenly does not accelerate
    assert value(table, "exact", "msi") == pytest.approx(2.0, abs=0.01)
    assert value(table, "exact", "diversity") == pytest.approx(table.truth.scores["diversity"].value)


def test_a_shift_has_the_distance_that_it_is(table: EvaluationTable) -> None:
    # 4 pixels of 64 are 16 of 256; lips are compared about their middle
    assert value(table, "right", "akd") == pytest.approx(16.0, abs=0.1)
    assert value(table, "right", "lmd") == pytest.approx(0.0, abs=0.05)
    # 4 columns of 8 rows are 195 levels darker on one side, and as many brighter on the other
    mse = 2 * 32 * 195**2 / 64**2
    assert value(table, "right", "psnr") == pytest.approx(10 * np.log10(255**2 / mse), abs=0.2)
    assert value(table, "right", "ssim") < 0.95


def test_the_shared_frames_count_and_those_without_a_face_are_told(table: EvaluationTable) -> None:
    short = next(row for row in table.systems if row.system == "short")
    assert (short.n_videos, short.n_frames) == (1, 20)
    akd = short.scores["akd"]
    assert (akd.n_videos, akd.n_frames_left_out, akd.low, akd.high) == (1, 5, None, None)
    assert akd.value == pytest.approx(0.0, abs=0.1)
    assert "short: 1 video longer or shorter than the truth compared as far as both go" in table.notes
    assert "short: 5 of 20 frames without a face: in no figure of faces" in table.notes


def test_intervals_and_tests_are_over_videos(table: EvaluationTable) -> None:
    akd = table.score("right", "akd")
    assert akd is not None
    assert akd.low is not None
    assert akd.high is not None
    assert akd.low <= akd.value <= akd.high
    test = next(one for one in table.tests if (one.first, one.second, one.column) == ("exact", "right", "akd"))
    assert test.difference == pytest.approx(-16.0, abs=0.1)
    # 2 of the 8 changes of sign of three videos are as far from 0
    assert (test.n_videos, test.p) == (3, 0.25)
    assert all(one.n_videos >= 2 for one in table.tests)
    assert {one.video for one in table.videos if one.system == "right"} == {"a", "b", "deep/c"}


def test_columns_without_weights_are_named_and_the_rest_computed(table: EvaluationTable) -> None:
    assert table.unavailable["csim_arcface"] == "there is no such file"
    assert set(table.unavailable) & {"psnr", "ssim", "akd", "msi"} == set()
    report = str(table)
    assert "CSIM (ArcFace): there is no such file" in report
    assert "face-vid2vid      18.604" in report
    assert json.loads(table.json())["unavailable"] == dict(table.unavailable)


def test_without_face_models_pictures_are_still_compared(
    folders: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    table = evaluate_outputs({"right": folders / "right"}, folders / "truth", cache=cache)
    assert table.systems[0].n_frames == 90
    assert table.score("right", "psnr") is not None
    assert table.landmarks is None
    assert "install gaia-avatar" in table.unavailable["akd"]


def test_the_second_time_nothing_is_decoded(
    folders: Path, faces: SquareFaces, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {"right": folders / "right"}
    first = evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache)
    read = faces.n_read
    assert read == 180

    def refuse(*_: object) -> None:
        raise AssertionError("a video was decoded again")

    monkeypatch.setattr(video_features, "chunks", refuse)
    assert evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache).json() == first.json()
    monkeypatch.undo()
    # one more system costs its own videos alone
    evaluate_outputs({**outputs, "short": folders / "short"}, folders / "truth", faces=faces, cache=cache)
    assert faces.n_read == read + 20
    # other models read everything anew
    faces.digest = "square 2"
    evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache)
    assert faces.n_read == read + 20 + 180


def test_sizes_and_frame_rates_are_reconciled_and_told(
    tmp_path: Path, folders: Path, faces: SquareFaces, cache: Path
) -> None:
    result = tmp_path / "results" / "a.mp4"
    result.parent.mkdir()
    # 50 pictures a second, of which every second one is that of a tick
    square_video(result, [4 + k // 2 for k in range(60)], fps=Fraction(50))
    square_video(tmp_path / "results" / "b.mp4", [5] * 30, side=96)
    table = evaluate_outputs({"ours": result.parent}, folders / "truth", faces=faces, cache=cache)
    assert "ours: 1 video of 50 frames a second put on a clock of 25" in table.notes
    assert "ours: 1 video of another size scaled to that of the truth" in table.notes
    of_a = next(one for one in table.videos if one.video == "a")
    assert of_a.n_frames == 30
    assert of_a.scores["akd"] == pytest.approx(0.0, abs=0.1)


def test_what_cannot_be_used_is_left_out_and_told(
    tmp_path: Path, folders: Path, faces: SquareFaces, cache: Path
) -> None:
    results = tmp_path / "results"
    square_video(results / "a.mp4", [8] * 30)
    (results / "b.mp4").write_bytes(b"no video")
    (results / "deep").mkdir()
    wide = square_video(tmp_path / "wide.mp4", [8] * 30, side=64)
    (results / "deep" / "c.mp4").write_bytes(wide.read_bytes())
    table = evaluate_outputs({"ours": results}, folders / "truth", faces=faces, cache=cache)
    assert any("b.mp4: it cannot be opened" in note for note in table.notes)
    assert table.systems[0].n_videos == 2
    (results / "a.mp4").unlink()
    (results / "deep" / "c.mp4").unlink()
    with pytest.raises(UnusableVideosError, match=r"no video of ours could be measured: .*b\.mp4"):
        evaluate_outputs({"ours": results}, folders / "truth", faces=faces, cache=cache)


def test_reenactment_compares_the_person_with_the_reference_alone(
    tmp_path: Path, folders: Path, faces: SquareFaces, cache: Path
) -> None:
    outputs = {"right": folders / "right"}
    without = evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache, table="reenactment")
    assert "--reference" in without.unavailable["csim_dlib"]
    assert without.score("right", "psnr") is None
    # the wall of the reference is dark: (0, 60, 0) and (60, 60, 0) lie 45 degrees apart
    square_video(tmp_path / "persons" / "a.mp4", [8], level=0)
    table = evaluate_outputs(
        outputs, folders / "truth", faces=faces, cache=cache, table="reenactment", reference=tmp_path / "persons"
    )
    assert value(table, "right", "csim_dlib") == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert table.score("right", "csim_dlib") is not None
    assert any("no picture deep/c" in note for note in table.notes)


def test_the_folder_appears_complete_or_not_at_all(
    tmp_path: Path, folders: Path, faces: SquareFaces, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "evaluation"
    outputs = {"right": folders / "right"}
    table = evaluate_outputs(outputs, folders / "truth", out, faces=faces, cache=cache)
    assert sorted(path.name for path in out.iterdir()) == ["table.html", "table.json", "table.tex"]
    assert [path.name for path in out.parent.iterdir()] == ["evaluation"]
    stored = json.loads((out / "table.json").read_text())
    assert stored["systems"][0]["scores"]["akd"]["value"] == value(table, "right", "akd")
    before = (out / "table.json").read_bytes()

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("training.comparison.written_results.result_page", fail)
        with pytest.raises(OSError, match="No space"):
            evaluate_outputs(outputs, folders / "truth", out, faces=faces, cache=cache)
    assert (out / "table.json").read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["evaluation"]
    (out / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match=r"mine\.txt"):
        evaluate_outputs(outputs, folders / "truth", out, faces=faces, cache=cache)


def test_systems_stand_in_the_papers_order(folders: Path, faces: SquareFaces, cache: Path) -> None:
    outputs = {"ours": folders / "right", "face-vid2vid": folders / "short", "FOMM": folders / "exact"}
    table = evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache)
    assert [row.system for row in table.systems] == ["FOMM", "face-vid2vid", "ours"]
    assert table.columns[:5] == ("fid", "lpips", "psnr", "akd", "msi")


def test_latex_escapes_names_and_marks_the_best(folders: Path, faces: SquareFaces, cache: Path) -> None:
    outputs = {"50%_{a}": folders / "right", "exact": folders / "exact"}
    lines = latex_table(evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache)).splitlines()
    first = next(line for line in lines if line.startswith("50"))
    assert first.startswith(r"50\%\_\{a\} & -- & -- & ")
    exact = next(line for line in lines if line.startswith("exact"))
    assert r"\textbf{0.000}{\scriptsize [0.000, 0.000]}" in exact
    assert r"FOMM & 23.843 & 0.196 & 22.669 & 2.160 & 0.839 & --" in "\n".join(lines)
    assert all(
        line.count(" & ") == lines[3].count(" & ") for line in lines if line.endswith("\\\\") and "multi" not in line
    )

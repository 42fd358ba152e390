import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.array_types import Float32Array
from generation import GenerationError
from generation.pose_track import PoseChoice, asked_pose

STILL_DEG = np.array([1.0, -8.0, 3.0], np.float32)


def _no_video(path: Path, n_ticks: int) -> Float32Array:
    raise AssertionError((path, n_ticks))


def _asked(choice: PoseChoice, n_frames: int = 4) -> Float32Array:
    track_deg = asked_pose(choice, n_frames, still_deg=STILL_DEG, of_video=_no_video)
    assert track_deg is not None
    assert track_deg.dtype == np.float32
    return track_deg


def _refused(choice: PoseChoice, message: str, n_frames: int = 4) -> None:
    with pytest.raises(GenerationError, match=re.escape(message)) as refusal:
        _asked(choice, n_frames)
    assert "\n" not in str(refusal.value)


def test_predicted_poses_are_the_networks_own() -> None:
    assert asked_pose(PoseChoice(), 4, still_deg=STILL_DEG, of_video=_no_video) is None


def test_a_still_head_keeps_the_pose_of_the_portrait_and_may_be_turned_from_it() -> None:
    assert _asked(PoseChoice(source="still")).tolist() == [[1.0, -8.0, 3.0]] * 4
    assert _asked(PoseChoice(source="still", offset="yaw=10")).tolist() == [[1.0, 2.0, 3.0]] * 4


def test_amplitude_scales_what_deviates_from_the_mean() -> None:
    # yaw is 0, 1, 2, 3: mean 1.5, halved 0.75 to 2.25
    yaw_deg = _asked(PoseChoice(source="yaw=25t", amplitude=0.5))[:, 1]
    assert yaw_deg == pytest.approx([0.75, 1.25, 1.75, 2.25])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_gives_each_frame_its_row_whatever_the_order_of_its_columns(suffix: str, tmp_path: Path) -> None:
    columns = {"time_s": [0.0, 0.04], "roll": [7, 8], "pitch": [1.5, 2.5], "yaw": [-3.0, 4.0]}
    path = tmp_path / f"poses{suffix}"
    if suffix == ".csv":
        rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        path.write_text("\ufeff" + "\r\n".join(rows) + "\r\n")
    else:
        pq.write_table(pa.table(columns), path)
    choice = PoseChoice(source=str(path))
    assert _asked(choice, 2).tolist() == [[1.5, -3.0, 7.0], [2.5, 4.0, 8.0]]
    _refused(choice, f"{path}: has 2 rows, but the speech has 3 frames; give a row for each", 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "pitch,yaw\n1,2\n", "has the columns pitch, yaw; give pitch, yaw and roll"),
        ("a.csv", "", "has the columns none"),
        ("a.csv", "pitch,yaw,roll\n1,2,3\n1,left,3\n", "row 2 does not hold a number for each"),
        ("a.csv", "pitch,yaw,roll\n1,2\n", "row 1 does not hold a number for each"),
        ("a.csv", "pitch,yaw,roll\n1,2,3\n1,inf,3\n1,2,3\n1,2,3\n", "row 2 holds an angle that is no finite number"),
        ("a.csv", "pitch,yaw,roll\n1,2,3\n1,2,95\n1,2,3\n1,2,3\n", "roll is 95 degrees in frame 1"),
        ("a.parquet", "PAR1 no table", "cannot be read as Parquet"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_place(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    _refused(PoseChoice(source=str(tmp_path / name)), message)


def test_files_that_cannot_be_read_and_text_in_parquet_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"pitch,yaw,roll\n\xff\xfe\n")
    _refused(PoseChoice(source=str(tmp_path / "a.csv")), "cannot be read as CSV")
    _refused(PoseChoice(source=str(tmp_path / "none.csv")), "cannot be read")
    pq.write_table(pa.table({angle: ["a"] * 4 for angle in ("pitch", "yaw", "roll")}), tmp_path / "a.parquet")
    _refused(PoseChoice(source=str(tmp_path / "a.parquet")), "cannot be read as Parquet of numbers")


def test_what_changes_poses_needs_poses_and_formulas_name_their_option() -> None:
    for change in ({"amplitude": 0.5}, {"offset": "yaw=3"}):
        with pytest.raises(GenerationError, match="change the poses of --pose"):
            PoseChoice(**change)
    with pytest.raises(GenerationError, match="--pose-amplitude is nan"):
        PoseChoice(source="still", amplitude=float("nan"))
    _refused(PoseChoice(source="yaw=x"), "--pose \"yaw=x\": 'x' in 'x' is not known")
    _refused(replace(PoseChoice(source="still"), offset="yaw"), '--pose-offset "yaw"')


def test_a_file_with_an_equals_sign_in_its_name_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "yaw=3.mp4"
    assert PoseChoice(source=str(path)).kind == "formula"
    path.touch()
    assert PoseChoice(source=str(path)).kind == "video"
    assert PoseChoice(source="poses=mine.CSV").kind == "table"

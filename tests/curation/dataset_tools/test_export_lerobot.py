"""An export to LeRobot, read by the rules of its format with PyArrow, pandas and PyAV alone."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from curation.dataset_tools import export_lerobot as module
from curation.dataset_tools.exported_clips import ExportedClip, clips_of
from curation.dataset_tools.feature_statistics import FeatureSums, statistics_of
from manifests.errors import DatasetError

Reader = Callable[[str], ModuleType]

VIDEO = "observation.images.face"


def episodes_of(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "meta" / "episodes").glob("*/*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def frames_of(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(file) for file in sorted((folder / "data").glob("*/*.parquet"))])


def test_each_tier_becomes_a_dataset_whose_frames_are_found_by_its_own_words(
    labelled: Path, reader: Reader, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["export", str(labelled), "--to", "lerobot", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["diffusion", "origin.json", "vae"]
    clips = {clip.facts["tier"]: clip for clip in clips_of(labelled)}
    for tier, clip in clips.items():
        folder, n = out / tier, clip.facts["n_frames"]
        info = json.loads((folder / "meta" / "info.json").read_text())
        assert (info["codebase_version"], info["fps"], info["splits"]) == ("v3.0", 25, {"train": "0:1"})
        assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (1, n, 1)
        (episode,) = episodes_of(folder)
        assert (episode["dataset_from_index"], episode["dataset_to_index"], episode["length"]) == (0, n, n)
        assert (episode["tier"], episode["gender"]) == (tier, clip.facts["gender"])
        place = {key: episode[f"videos/{VIDEO}/{key}"] for key in ("chunk_index", "file_index")}
        assert (folder / info["video_path"].format(video_key=VIDEO, **place)).read_bytes() == clip.mp4
        place = {key: episode[f"data/{key}"] for key in ("chunk_index", "file_index")}
        rows = pq.read_table(folder / info["data_path"].format(**place))
        assert set(rows.column_names) == set(info["features"]) - {VIDEO}
        for name, feature in info["features"].items():
            if name.startswith("observation.") and name != VIDEO:
                array = np.array(rows[name].to_pylist(), np.float32)
                assert array.shape == (n, *feature["shape"])
                assert np.array_equal(array, clip.arrays[name.removeprefix("observation.")].astype(np.float32))
        assert ("observation.speech_features" in info["features"]) == (tier == "diffusion")
        tasks = reader("pandas").read_parquet(folder / "meta" / "tasks.parquet")
        assert tasks.index[rows["task_index"][0].as_py()] == episode["tasks"][0]
        with av.open(io.BytesIO(clip.mp4)) as video:
            times = sorted(float(frame.time) for frame in video.decode(video=0))
        assert np.allclose(times, rows["timestamp"].to_numpy(), atol=1e-4)  # the tolerance of LeRobot


@pytest.fixture
def several(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> list[ExportedClip]:
    """Five clips of tier diffusion in place of those of a dataset, each with numbers of its own, one in split val."""
    (clip,) = (clip for clip in clips_of(labelled) if clip.facts["tier"] == "diffusion")
    clips = []
    for number in range(5):
        arrays = clip.arrays | {"landmarks": clip.arrays["landmarks"] + np.float32(number)}
        facts = clip.facts | {"clip_id": f"clip {number}", "split": "val" if number == 2 else "train"}
        clips.append(replace(clip, facts=facts, arrays=arrays))
    monkeypatch.setattr(module, "clips_of", lambda _, split: (one for one in clips if one.facts["split"] == split))
    return clips


def test_splits_are_ranges_of_episodes_and_files_are_of_a_size(several: list[ExportedClip], tmp_path: Path) -> None:
    assert module.export_lerobot(tmp_path, tmp_path / "out", shard_bytes=3 << 19) == 5
    folder, n = tmp_path / "out" / "diffusion", several[0].facts["n_frames"]
    episodes = episodes_of(folder)
    assert [row["clip_id"] for row in episodes] == ["clip 0", "clip 1", "clip 3", "clip 4", "clip 2"]
    assert json.loads((folder / "meta" / "info.json").read_text())["splits"] == {"train": "0:4", "val": "4:5"}
    assert [row["data/file_index"] for row in episodes] == [0, 0, 1, 1, 2]  # an episode has 0.6 MiB
    rows = frames_of(folder)
    assert rows["index"].to_pylist() == list(range(5 * n))
    assert rows["episode_index"].to_numpy().tolist() == np.repeat(np.arange(5), n).tolist()
    assert sorted(path.name for path in (folder / "videos" / VIDEO / "chunk-000").iterdir()) == [
        f"file-00{number}.mp4" for number in range(5)
    ]
    for row in episodes:
        number = int(row["clip_id"].removeprefix("clip "))
        own = rows.slice(row["dataset_from_index"], row["length"])["observation.landmarks"]
        assert np.array_equal(np.array(own.to_pylist(), np.float32), several[number].arrays["landmarks"])
        assert (folder / row["audio_path"]).read_bytes() == several[number].flac


def test_statistics_are_those_of_all_frames(several: list[ExportedClip], tmp_path: Path) -> None:
    module.export_lerobot(tmp_path, tmp_path / "out", shard_bytes=1 << 30)
    told = json.loads((tmp_path / "out" / "diffusion" / "meta" / "stats.json").read_text())
    points = np.concatenate([clip.arrays["landmarks"] for clip in several]).astype(np.float64)
    own = {name: np.array(value) for name, value in told["observation.landmarks"].items()}
    assert np.allclose(own["mean"], points.mean(axis=0))
    assert np.allclose(own["std"], points.std(axis=0))
    assert np.array_equal(own["min"], points.min(axis=0))
    assert np.array_equal(own["max"], points.max(axis=0))
    assert own["count"].tolist() == [len(points)]
    picture = {name: np.array(value) for name, value in told[VIDEO].items()}
    assert {name: value.shape for name, value in picture.items() if name != "count"} == dict.fromkeys(
        ("min", "max", "mean", "std"), (3, 1, 1)
    )
    with av.open(io.BytesIO(several[0].mp4)) as video:
        red = np.mean([frame.to_ndarray(format="rgb24")[..., 0].mean() for frame in video.decode(video=0)]) / 255
    assert picture["mean"][0, 0, 0] == pytest.approx(red, abs=0.02)  # of key frames and every fourth pixel


def test_sums_of_parts_are_those_of_the_whole() -> None:
    numbers = np.random.default_rng(0).normal(3.0, 2.0, (50, 2))
    sums = FeatureSums()
    for part in (numbers[:7], numbers[7:8], numbers[8:]):
        sums.add(statistics_of(part))
    whole = statistics_of(numbers)
    assert {name: value.tolist() for name, value in sums.known.items()} == {
        name: pytest.approx(value.tolist()) for name, value in whole.items()
    }


def test_clips_with_other_arrays_are_a_dataset_of_their_own_and_wrong_lengths_are_told(
    several: list[ExportedClip], tmp_path: Path
) -> None:
    several[1] = replace(several[1], arrays={k: v for k, v in several[1].arrays.items() if k != "blendshapes"})
    assert module.export_lerobot(tmp_path, tmp_path / "out", shard_bytes=1 << 30) == 5
    assert [len(episodes_of(tmp_path / "out" / name)) for name in ("diffusion", "diffusion-2")] == [4, 1]
    several[3] = replace(several[3], arrays=several[3].arrays | {"pose_deg": np.zeros((2, 3), np.float32)})
    with pytest.raises(DatasetError, match=r"clip 3 has .* frames and arrays of 2"):
        module.export_lerobot(tmp_path, tmp_path / "again", shard_bytes=1 << 30)
    assert not list((tmp_path / "again").rglob("*.parquet*"))

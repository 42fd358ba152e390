import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from foundation.settings import SettingsError, overlaid
from manifests.errors import DatasetError
from manifests.files.tar import read_member
from training.data.selection import ClipIndex, DataConfig, SelectionError, select_clips

MakeClips = Callable[..., Path]

EVERYTHING = DataConfig(splits=("train", "val", "test"))


def _names(index: ClipIndex) -> list[str]:
    return [f"{name[0]}{int(name[2:9])}" for name in index.rows["clip_id"].to_pylist()]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (EVERYTHING, ["a0", "a310", "b0", "c0", "d0", "e0"]),
        (DataConfig(), ["a0", "a310", "b0", "d0"]),
        (DataConfig(tiers=("diffusion",)), ["a0", "b0", "d0"]),
        (DataConfig(tiers=("vae",)), ["a310"]),
        (DataConfig(splits=("val", "test")), ["c0", "e0"]),
        (replace(EVERYTHING, sources=("two",)), ["b0", "e0"]),
        (replace(EVERYTHING, where="snr_db > 10 and n_frames < 140"), ["a310", "c0", "d0"]),
        (replace(EVERYTHING, where="split = 'val' or split = 'test' -- both"), ["c0", "e0"]),
        (DataConfig(sources=("one",), where="len(landmarks) >= 100"), ["a0", "a310"]),
        (DataConfig(where="video_id not in (select video_id from clips where tier = 'vae')"), ["b0", "d0"]),
    ],
)
def test_all_conditions_hold_at_once(made_clips: Path, config: DataConfig, expected: list[str]) -> None:
    assert _names(select_clips(made_clips, config)) == expected


def test_an_index_tells_where_each_clip_lies(made_clips: Path) -> None:
    index = select_clips(made_clips, EVERYTHING)
    row = index.row(1)
    assert (row.clip_id, row.n_frames, row.media) == ("a-0000310-0000409", 100, "media/a.tar")
    assert row.file.name == "a.parquet"
    footer = pq.read_metadata(row.file)
    for name, place in row.arrays.items():
        (stored,) = [
            footer.row_group(1).column(number)
            for number in range(footer.num_columns)
            if footer.schema.column(number).path.startswith(f"{name}.")
        ]
        assert (place.row_group, place.row, place.start) == (1, 0, stored.data_page_offset)
        assert place.n_bytes == stored.total_compressed_size
    assert read_member(made_clips, row.media, row.mp4)[4:8] == b"ftyp"
    assert index.n_frames.tolist() == [300, 100, 260, 130, 80, 140]
    assert index.hours == pytest.approx(1010 / 25 / 3600)
    assert index.landmark_scheme == "ibug68"


def test_a_smaller_subset_of_hours_is_part_of_a_larger_one(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = [{"video": "v", "first": 5 * number, "n_frames": 5} for number in range(40)]
    dataset = make_clips(tmp_path / "dataset", *clips)
    one_clip_h = 5 / 25 / 3600
    chosen = [
        select_clips(dataset, DataConfig(hours_subset=n * one_clip_h)).rows["clip_id"].to_pylist()
        for n in (1, 10, 20, 40)
    ]
    assert [len(names) for names in chosen] == [1, 10, 20, 40]
    for smaller, larger in pairwise(chosen):
        assert set(smaller) < set(larger)
    assert chosen[1] != sorted(chosen[3])[:10]  # drawn from all, not the first by name


def test_a_subset_does_not_depend_on_what_else_the_dataset_holds(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = [{"video": "v", "first": 5 * number, "n_frames": 5} for number in range(20)]
    others = [{"video": "w", "first": 5 * number, "n_frames": 5, "split": "test"} for number in range(20)]
    config = DataConfig(hours_subset=50 / 25 / 3600)
    alone = select_clips(make_clips(tmp_path / "alone", *clips), config)
    beside = select_clips(make_clips(tmp_path / "beside", *clips, *others), config)
    assert _names(alone) == _names(beside)


def test_more_hours_than_there_are_is_refused(made_clips: Path) -> None:
    with pytest.raises(SelectionError, match=r"hours_subset is 100 h, and .* leave 0\.0082 h; give at most 0\.0082 h"):
        select_clips(made_clips, DataConfig(hours_subset=100))


_ENDLESS = "(select count(*) from range(1000000000) a, range(1000) b) > 0"

_LARGE = "(select len(list(range)) from range(1000000000)) > 0"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig(sources=("vox",)), r"data.sources \['vox'\]: the clips have source 'one', 'two'"),
        (DataConfig(tiers=("vae",), splits=("val",)), r"data.splits \['val'\]: the clips have split 'train'"),
        (DataConfig(where="snr_db > 90"), r"none of 4 clips fulfils data.where 'snr_db > 90'"),
        (DataConfig(where="snr > 90"), r'is no condition over clips: .*"snr_db"'),
        (DataConfig(where="true); drop table clips; select (1"), "is no condition over clips"),
        (DataConfig(where="exists (select * from read_csv('/etc/passwd'))"), "is no condition over clips"),
        (DataConfig(where=_ENDLESS, where_timeout_s=0.5), r"took longer than 0\.5 s.*data.where_timeout_s"),
        (DataConfig(where=_LARGE, where_memory_gib=0.1), r"needs more than 0\.1 GiB.*data.where_memory_gib"),
    ],
)
def test_what_leaves_no_clip_says_why(made_clips: Path, config: DataConfig, message: str) -> None:
    with pytest.raises(SelectionError, match="(?s)" + message):
        select_clips(made_clips, config)


def test_a_dataset_without_clips_says_how_to_find_out_why(make_clips: MakeClips, tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match="gaia-curate stats"):
        select_clips(make_clips(tmp_path / "dataset"), DataConfig())


def test_landmarks_of_two_schemes_do_not_go_together(make_clips: MakeClips, tmp_path: Path) -> None:
    other = {"video": "b", "n_frames": 5, "scheme": "mediapipe478"}
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 5}, other)
    with pytest.raises(SelectionError, match=r"1 with 'ibug68', 1 with 'mediapipe478'.*landmark_scheme = 'ibug68'"):
        select_clips(dataset, DataConfig())
    assert select_clips(dataset, DataConfig(where="landmark_scheme = 'ibug68'")).landmark_scheme == "ibug68"


def test_features_of_two_encoders_or_none_do_not_go_together(make_clips: MakeClips, tmp_path: Path) -> None:
    dataset = make_clips(
        tmp_path / "dataset",
        {"video": "a", "n_frames": 5},
        {"video": "b", "n_frames": 5, "encoder": "other", "split": "val"},
        {"video": "c", "n_frames": 5, "tier": "vae", "split": "test"},
    )
    assert select_clips(dataset, DataConfig()).speech_encoder == "made"
    both = select_clips(dataset, DataConfig(splits=("train", "val")))
    with pytest.raises(SelectionError, match=r"1 with 'made', 1 with 'other'.*speech_encoder = 'made'"):
        _ = both.speech_encoder
    without = select_clips(dataset, DataConfig(splits=("train", "test")))
    with pytest.raises(SelectionError, match=r"1 with 'made', 1 with none.*give clips of tier diffusion"):
        _ = without.speech_encoder


def test_a_dataset_of_another_schema_version_is_refused(make_clips: MakeClips, tmp_path: Path) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 5})
    record = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(record | {"schema_version": 99}))
    with pytest.raises(DatasetError, match="schema version 99"):
        select_clips(dataset, DataConfig())


def test_a_damaged_part_is_named(make_clips: MakeClips, tmp_path: Path) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 5})
    (dataset / "clips" / "b.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DatasetError, match=r"b\.parquet"):
        select_clips(dataset, DataConfig())


def test_no_dataset_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no dataset"):
        select_clips(tmp_path, DataConfig())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hours_subset": 0}, "hours_subset' is 0: Input should be greater than 0"),
        ({"tiers": []}, "at least one"),
        ({"tiers": ["difusion"]}, "'diffusion' or 'vae'"),
        ({"max_damaged_share": 1.5}, "at least 0, at most 1"),
        ({"wher": "true"}, "the nearest known one is 'where'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        overlaid(DataConfig(), values, "data")

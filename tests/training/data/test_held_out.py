from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from training.data.config import DataConfig
from training.data.held_out import NothingHeldOutError, held_out
from training.data.selection import select_clips

TRAIN = {"video": "t", "n_frames": 80}


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Video t is learned from; of split val, v has three clips, w one, x one of another source."""
    three = [{"video": "v", "first": first, "n_frames": 80, "split": "val"} for first in (0, 100, 200)]
    others = [
        {"video": "w", "n_frames": 120, "split": "val"},
        {"video": "x", "n_frames": 90, "split": "val", "source": "two"},
    ]
    return make_clips(tmp_path_factory.mktemp("held") / "dataset", TRAIN, *three, *others)


def test_each_person_is_measured_once_before_anyone_twice(dataset: Path) -> None:
    held = held_out(select_clips(dataset, DataConfig()), "val", count=4)
    videos = [held.index.row(clip).clip_id[0] for clip in held.clips]
    assert sorted(videos[:3]) == ["v", "w", "x"]
    assert videos[3] == "v"
    assert held.people == tuple(f"speaker {video}" for video in videos)
    assert held.notes == ()
    fewer = held_out(select_clips(dataset, DataConfig()), "val", count=3)
    assert fewer.clips == held.clips[:3]
    assert fewer.identity() != held.identity() != held.identity("other frames")


def test_conditions_of_the_run_hold_for_these_clips_but_not_its_hours(dataset: Path) -> None:
    learned = select_clips(dataset, DataConfig(sources=("one",), hours_subset=0.0005))
    assert len(held_out(learned, "val", count=9).clips) == 4
    assert len(held_out(learned, "val", count=9, min_frames=100).clips) == 1


def test_people_that_the_run_learns_from_are_not_measured(dataset: Path) -> None:
    learned = select_clips(dataset, DataConfig(where="video_id in ('t', 'v')", splits=("train", "val")))
    index = replace(learned, config=DataConfig())
    held = held_out(index, "val", count=9)
    assert {held.index.row(clip).clip_id[0] for clip in held.clips} == {"w", "x"}
    assert held.notes == (
        "3 of 5 clips of split 'val' show people that the run learns from, and are not used in validation",
    )
    with pytest.raises(NothingHeldOutError, match=r"5 of 5 clips of split 'val' show people that the run learns from"):
        held_out(select_clips(dataset, DataConfig(splits=("train", "val"))), "val", count=9)


@pytest.mark.parametrize(
    ("split", "min_frames", "said"),
    [
        ("test", 1, r"has no clips of split 'test'.*`gaia-curate split`.*train.validate_every=null"),
        ("val", 1000, r"nothing is validated: no clip of split 'val' has 1,000 frames"),
    ],
)
def test_dataset_without_such_clips_says_so(split: str, min_frames: int, said: str, dataset: Path) -> None:
    with pytest.raises(NothingHeldOutError, match=said):
        held_out(select_clips(dataset, DataConfig()), split, count=4, min_frames=min_frames)  # type: ignore[arg-type]

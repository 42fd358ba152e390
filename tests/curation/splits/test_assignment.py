from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from curation.splits.assignment import Assignment, EarlierSplits, assigned_splits
from curation.splits.settings import SplitSettings

NOTHING = EarlierSplits(clips={}, videos={})
TENTHS = SplitSettings(val_share=0.1, test_share=0.1)


def made_clips(people: dict[str, str | None], *, seconds: float = 10.0, known: bool = True) -> pa.Table:
    """Return a clip of each video.

    Args:
        people: by video id, who is in it.
        seconds: length of a clip.
        known: whether `identities` has run.
    """
    names = list(people)
    return pa.table(
        {
            "clip_id": [f"{name}-0" for name in names],
            "video_id": names,
            "speaker_id": pa.nulls(len(names), pa.string()),
            "person_id": pa.array(list(people.values()) if known else [None] * len(names), pa.string()),
            "n_frames": pa.array([round(25 * seconds)] * len(names), pa.int32()),
            "split": ["train"] * len(names),
        }
    )


def with_splits(clips: pa.Table, assignment: Assignment) -> EarlierSplits:
    """Return what the next command finds assigned."""
    splits = [assignment.splits[clip_id] for clip_id in clips["clip_id"].to_pylist()]
    return EarlierSplits.of(clips.set_column(clips.schema.get_field_index("split"), "split", pa.array(splits)))


def sides(clips: pa.Table, assignment: Assignment) -> dict[str, set[str]]:
    """Return by person the splits that the person is in."""
    found = defaultdict(set)
    for row in clips.to_pylist():
        found[row["person_id"] or row["video_id"]].add(assignment.splits[row["clip_id"]])
    return found


IN_THREE_FILES = {f"v{number:03d}": f"p{number % 40}" for number in range(120)}


def test_a_folder_with_every_person_in_three_files_leaks_nobody() -> None:
    clips = made_clips(IN_THREE_FILES)
    assignment = assigned_splits(clips, NOTHING, {}, TENTHS)
    assert all(len(splits) == 1 for splits in sides(clips, assignment).values())
    # 40 people of 30 s each: four of them are a tenth
    assert assignment.hours == pytest.approx({"train": 32 / 120, "val": 4 / 120, "test": 4 / 120})


def test_the_hours_asked_for_are_met_with_people_of_very_different_length() -> None:
    random = np.random.default_rng(5)
    frames = np.ceil(random.pareto(1.2, 300) * 1500) + 75
    clips = made_clips({f"v{number:03d}": f"p{number}" for number in range(300)})
    clips = clips.set_column(clips.schema.get_field_index("n_frames"), "n_frames", pa.array(frames, pa.int32()))
    hours = assigned_splits(clips, NOTHING, {}, TENTHS).hours
    total = sum(hours.values())
    # of the people only, a share of 0.1 would be off by a third: one of them has a seventh of the hours
    assert frames.max() / frames.sum() > 0.1
    assert hours["val"] / total == pytest.approx(0.1, abs=0.003)
    assert hours["test"] / total == pytest.approx(0.1, abs=0.003)


def test_nobody_is_divided_to_reach_a_share() -> None:
    clips = made_clips(dict.fromkeys(["v1", "v2", "v3"], "anna") | {"v4": "ben"})
    assert assigned_splits(clips, NOTHING, {}, TENTHS).hours == pytest.approx(
        {"train": 4 / 360, "val": 0.0, "test": 0.0}  # ben has 25 %, which is further from 10 % than nothing
    )


def test_a_split_without_a_clip_to_train_on_is_told() -> None:
    halves = SplitSettings(val_share=0.5, test_share=0.5)
    emptied = assigned_splits(made_clips({"v1": "anna", "v2": "ben"}), NOTHING, {}, halves)
    assert emptied.hours["train"] == 0.0
    assert "No clip is left to train on" in emptied.text()
    assert "No clip is left" not in assigned_splits(made_clips({"v1": "anna"}), NOTHING, {}, TENTHS).text()


def test_a_later_run_leaves_people_where_they_were_and_fills_up_with_new_ones() -> None:
    clips = made_clips(IN_THREE_FILES)
    first = assigned_splits(clips, NOTHING, {}, TENTHS)
    new = {f"w{number:03d}": f"p{number % 80}" for number in range(240)}  # the 40 people again, and 40 new ones
    later = made_clips(IN_THREE_FILES | new)
    second = assigned_splits(later, with_splits(clips, first), {}, TENTHS)
    assert {clip_id: second.splits[clip_id] for clip_id in first.splits} == first.splits
    assert all(len(splits) == 1 for splits in sides(later, second).values())
    assert second.hours["val"] == pytest.approx(0.1, abs=0.01)  # of 360 clips of 10 s, one hour
    assert (second.moved_h, second.reunions, second.notes()) == ({}, (), ())


@pytest.mark.parametrize(("before", "now"), [(("val", "train"), "train"), (("test", "val"), "val")])
def test_a_video_that_joins_two_groups_takes_both_to_the_side_that_models_have_seen(
    before: tuple[str, str], now: str
) -> None:
    old = made_clips({"v1": "anna", "v2": "ben"})
    earlier = EarlierSplits.of(old.set_column(5, "split", pa.array(before)))
    later = made_clips({"v1": "anna", "v2": "ben", "v3": None, "v4": "ben"})
    joined = assigned_splits(later, earlier, {"v1": "v1", "v2": "v1"}, TENTHS)
    assert {joined.splits[clip] for clip in ("v1-0", "v2-0", "v4-0")} == {now}
    (reunion,) = joined.reunions
    assert (reunion.names, reunion.now) == (("anna", "ben"), now)
    assert joined.moved_h == {(before[0], now): 10 / 3600}
    assert joined.notes()[0] == (
        f"anna, ben: 10 s in {before[0]} and 10 s in {before[1]} proved to be one group, which is in {now} now."
    )


def test_persons_found_for_the_first_time_are_put_together_and_the_hours_are_met_again() -> None:
    videos = assigned_splits(made_clips(IN_THREE_FILES, known=False), NOTHING, {}, TENTHS)
    earlier = with_splits(made_clips(IN_THREE_FILES, known=False), videos)
    clips = made_clips(IN_THREE_FILES)
    persons = assigned_splits(clips, earlier, {}, TENTHS)
    assert all(len(splits) == 1 for splits in sides(clips, persons).values())
    assert persons.hours == pytest.approx({"train": 32 / 120, "val": 4 / 120, "test": 4 / 120})
    assert sum(persons.moved_h.values()) > 0.0
    assert persons.notes()[-1] == "Judge models that were trained before on clips that have not moved."


def test_a_new_video_of_a_known_person_goes_where_the_person_is_without_a_word() -> None:
    earlier = EarlierSplits(
        clips={"v1-0": ("test", True), "v2-0": ("train", False)},
        videos={"v1": frozenset({("test", True)}), "v2": frozenset({("train", False)})},
    )
    assignment = assigned_splits(made_clips({"v1": "anna", "v2": "anna"}), earlier, {}, TENTHS)
    assert assignment.splits == {"v1-0": "test", "v2-0": "test"}
    assert assignment.reunions == ()


def test_clips_that_were_cut_otherwise_stay_on_the_side_of_their_video() -> None:
    earlier = EarlierSplits(clips={"v1-7": ("val", True)}, videos={"v1": frozenset({("val", True)})})
    assert assigned_splits(made_clips({"v1": None}), earlier, {}, TENTHS).splits == {"v1-0": "val"}


def test_clips_of_nobody_known_are_counted_once_others_are() -> None:
    assert assigned_splits(made_clips({"v": "anna", "w": None}), NOTHING, {}, TENTHS).n_unknown == 1
    assert assigned_splits(made_clips({"v": None, "w": None}), NOTHING, {}, TENTHS).n_unknown == 0


def test_a_dataset_without_clips_has_nothing_to_divide() -> None:
    assignment = assigned_splits(made_clips({}), NOTHING, {}, TENTHS)
    assert (assignment.splits, assignment.text()) == ({}, "There are no clips to divide.")

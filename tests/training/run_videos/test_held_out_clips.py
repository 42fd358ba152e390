from collections.abc import Callable
from pathlib import Path

import pytest

from models.run_folder import RunFolder
from training.data.held_out_sources import HeldOutError
from training.run_videos.held_out_clips import HeldOutClips, held_out_clips, read_test_list

WriteRun = Callable[..., Path]


def _videos(clips: HeldOutClips) -> list[str]:
    return [name.partition("-")[0] for name in clips.index.rows["clip_id"].to_pylist()]


def test_a_run_is_tested_on_split_test(people: Path, write_run: WriteRun) -> None:
    clips = held_out_clips(people, RunFolder(write_run()))
    assert _videos(clips) == ["carl", "dora", "dora", "eve"]
    assert clips.people[0] != clips.people[1] == clips.people[2]
    assert clips.notes == ("tested on the clips of split test",)


def test_a_run_that_holds_out_sources_is_tested_on_them_whatever_their_split(people: Path, write_run: WriteRun) -> None:
    clips = held_out_clips(people, RunFolder(write_run(["anna"], test_sources=["two"])))
    assert _videos(clips) == ["ben", "eve"]
    assert clips.notes == ("tested on the sources two, which the run holds out (data.test_sources)",)


def test_people_that_the_run_or_its_vae_has_learned_from_are_left_out(people: Path, write_run: WriteRun) -> None:
    # one of Dora's two clips was learned from: the other shows her too
    run = RunFolder(write_run(["anna", "dora"], motion=True, of_vae=["eve"]))
    clips = held_out_clips(people, run)
    assert _videos(clips) == ["carl"]
    assert clips.notes[1] == "3 clips of 2 people left out: the run has learned from them"
    with pytest.raises(HeldOutError, match="has learned from the people in all of 4 clips"):
        held_out_clips(people, RunFolder(write_run(["carl", "dora", "eve"])))


def test_a_list_chooses_by_names_of_files_videos_and_clips(people: Path, write_run: WriteRun, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("# the test set\ncarl.mp4\n\n  dora-0000100-0000189\nanna\nnobody.mp4\ncarl.mp4\n")
    names = read_test_list(path)
    assert names == ("carl.mp4", "dora-0000100-0000189", "anna", "nobody.mp4")
    clips = held_out_clips(people, RunFolder(write_run(["ben"])), names)
    assert clips.index.rows["clip_id"].to_pylist() == [
        "anna-0000000-0000079", "carl-0000000-0000129", "dora-0000100-0000189",
    ]  # fmt: skip
    assert clips.notes == ("1 of 4 listed videos have no clip, such as 'nobody.mp4'",)
    # of split train, but listed: not where the run has learned from her
    assert "anna" not in _videos(held_out_clips(people, RunFolder(write_run()), names))


def test_lists_that_choose_nothing_are_refused(people: Path, write_run: WriteRun, tmp_path: Path) -> None:
    with pytest.raises(HeldOutError, match="has no clip of 1 video of the list, such as 'nobody'"):
        held_out_clips(people, RunFolder(write_run()), ["nobody"])
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(HeldOutError, match="names no video"):
        read_test_list(tmp_path / "empty.txt")
    with pytest.raises(HeldOutError, match="is no list of test videos"):
        read_test_list(tmp_path / "missing.txt")


def test_a_run_that_does_not_say_what_it_learned_from_takes_no_list(people: Path, write_run: WriteRun) -> None:
    run = RunFolder(write_run(None))
    with pytest.raises(HeldOutError, match="does not say which clips it has learned from"):
        held_out_clips(people, run, ["carl"])
    assert "has no clips.jsonl: which clips it has learned from is not known" in held_out_clips(people, run).notes[0]
    of_earlier_version = RunFolder(write_run(motion=True))
    assert "which clips its VAE has learned from is not known" in held_out_clips(people, of_earlier_version).notes[0]


def test_a_dataset_without_a_test_set_says_what_would_be_one(
    make_clips: Callable[..., Path], write_run: WriteRun, tmp_path: Path
) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 5})
    with pytest.raises(
        HeldOutError, match=r"no clip of split test .*or train with --set data\.test_sources=\[SOURCE\]"
    ):
        held_out_clips(dataset, RunFolder(write_run()))
    with pytest.raises(HeldOutError, match=r"has no clip of the sources 'two', which .* holds out as its test set"):
        held_out_clips(dataset, RunFolder(write_run(["anna"], test_sources=["two"])))


def test_a_damaged_list_of_learned_clips_is_named(people: Path, write_run: WriteRun) -> None:
    run = write_run()
    (run / "clips.jsonl").write_text('{"clip": 1}\n')
    with pytest.raises(HeldOutError, match=r"clips\.jsonl cannot be read"):
        held_out_clips(people, RunFolder(run))

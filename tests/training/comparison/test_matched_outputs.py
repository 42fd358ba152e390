from pathlib import Path

import pytest

from training.comparison.matched_outputs import match_outputs, reference_of
from training.ratings.rated_videos import UnusableVideosError


def test_videos_are_matched_by_path_whatever_their_suffix(folders: Path) -> None:
    matched = match_outputs([f"moved={folders / 'right'}", str(folders / "short")], folders / "truth")
    assert matched.systems == ("moved", "short")
    assert matched.videos == ("a", "b", "deep/c")
    assert matched.results["moved"]["deep/c"] == folders / "right" / "deep" / "c.mkv"
    assert list(matched.results["short"]) == ["a"]
    assert matched.notes == ("short: 2 true videos (b, ...) without a result",)


def test_results_without_a_truth_are_told(folders: Path) -> None:
    matched = match_outputs({"all": folders / "truth"}, folders / "short")
    assert matched.videos == ("a",)
    assert matched.notes == ("all: 2 videos (b, ...) without a true video left out",)


def test_names_that_nowhere_match_say_what_was_expected(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "a_result.mp4").write_bytes(b"")
    with pytest.raises(UnusableVideosError, match="there a_result, here a"):
        match_outputs([str(tmp_path)], folders / "truth")
    with pytest.raises(UnusableVideosError, match="two systems are named x"):
        match_outputs([f"x={folders / 'right'}", f"x={folders / 'short'}"], folders / "truth")


def test_a_reference_is_a_picture_or_a_video_of_the_name(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.PNG").write_bytes(b"")
    assert reference_of(tmp_path, "deep/c") == tmp_path / "deep" / "c.PNG"
    assert reference_of(folders / "truth", "a") == folders / "truth" / "a.mp4"
    assert reference_of(folders / "truth", "missing/a") is None
    with pytest.raises(UnusableVideosError, match="is no folder"):
        reference_of(tmp_path / "absent", "a")

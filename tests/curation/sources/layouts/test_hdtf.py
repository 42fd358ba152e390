"""HDTF: the lines are those of its own lists."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.trims import Trim

TIMES = "HDTF_dataset/WDA_annotion_time.txt"
LINES = "ChrisCoons1.mp4 00:12-03:10\nJoeNeguse.mp4 00:35-01:40 02:10-02:55 \nMikeDoyle.mp4 00:05-05:55\n"
URLS = "ChrisCoons1 https://www.youtube.com/watch?v=2HX1MKSDpU4\n"
NEGUSE = (Trim(start=35.0, end=100.0), Trim(start=130.0, end=175.0))


def test_clips_of_a_persons_videos_are_of_one_speaker(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put(
        *("WDA_ChrisCoons_000.mp4", "WDA_ChrisCoons1_000.mp4", "WDA_ChrisCoons1_001.mp4"),
        *("WRA_KellyAyotte_000.mp4", "WDA_LucilleRoybal-Allard_000.mp4"),
    )
    assert told(root) == {
        "WDA_ChrisCoons_000.mp4": ("hdtf", "ChrisCoons", ()),
        "WDA_ChrisCoons1_000.mp4": ("hdtf", "ChrisCoons", ()),
        "WDA_ChrisCoons1_001.mp4": ("hdtf", "ChrisCoons", ()),
        "WRA_KellyAyotte_000.mp4": ("hdtf", "KellyAyotte", ()),
        "WDA_LucilleRoybal-Allard_000.mp4": ("hdtf", "LucilleRoybal-Allard", ()),
    }


def test_radio_videos_name_nobody_and_are_a_speaker_each(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put("RD_Radio1_000.mp4", "RD_Radio11_000.mp4", "RD_Radio11_001.mp4")
    assert [speaker for _, speaker, _ in told(root).values()] == ["Radio11", "Radio11", "Radio1"]


def test_an_uncut_video_is_cut_by_the_times_of_its_line(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put("WDA_JoeNeguse.mp4", "ChrisCoons1.mp4", texts={TIMES: LINES, "HDTF_dataset/WDA_video_url.txt": URLS})
    assert told(root) == {
        "ChrisCoons1.mp4": ("hdtf", "ChrisCoons", (Trim(start=12.0, end=190.0),)),
        "WDA_JoeNeguse.mp4": ("hdtf", "JoeNeguse", NEGUSE),
    }


def test_stretches_that_overlap_in_the_published_list_are_one(
    put: Callable[..., Path], told: Callable[..., object]
) -> None:
    times = {"WRA_annotion_time.txt": "MittRomney.mp4 08:10-08:30 00:33-08:53\n"}
    root = put("WRA_MittRomney.mp4", texts=times)
    assert told(root)["WRA_MittRomney.mp4"] == ("hdtf", "MittRomney", (Trim(start=33.0, end=533.0),))


def test_an_uncut_video_whose_clips_are_here_is_passed_over(put: Callable[..., Path]) -> None:
    root = put("_videos_raw/WDA_JoeNeguse.mp4", "WDA_JoeNeguse_000.mp4", "JoeNeguse_1.mp4", texts={TIMES: LINES})
    found = discover(str(root), "hdtf")
    assert [video.path.name for video in found.videos] == ["JoeNeguse_1.mp4", "WDA_JoeNeguse_000.mp4"]
    assert any("_videos_raw/WDA_JoeNeguse.mp4, are uncut and were passed over" in line for line in found.notes)


def test_a_video_that_the_times_do_not_list_is_passed_over_and_said(put: Callable[..., Path]) -> None:
    root = put("WDA_JoeNeguse.mp4", "WDA_Nobody.mp4", texts={TIMES: LINES})
    found = discover(str(root))
    assert [video.path.name for video in found.videos] == ["WDA_JoeNeguse.mp4"]
    assert any("WDA_Nobody.mp4, were passed over" in line for line in found.notes)


def test_without_times_an_uncut_video_is_taken_whole_and_that_is_said(put: Callable[..., Path]) -> None:
    found = discover(str(put("WDA_JoeNeguse.mp4")))
    assert [video.trims for video in found.videos] == [()]
    assert any("WDA_JoeNeguse.mp4, are taken whole" in line for line in found.notes)


def test_a_file_of_another_name_is_taken_and_nobody_is_known(put: Callable[..., Path]) -> None:
    found = discover(str(put("WDA_JoeNeguse_000.mp4", "my holiday.mp4")), "hdtf")
    assert {video.path.name: video.speaker_id for video in found.videos} == {
        "WDA_JoeNeguse_000.mp4": "JoeNeguse",
        "my holiday.mp4": None,
    }
    assert any("my holiday.mp4, are not named as HDTF names them" in line for line in found.notes)


@pytest.mark.parametrize("word", ["00:35", "01:40-00:35", "0:5-1:40", "a:bb-c:dd", "00:35-00:35"])
def test_a_wrong_time_is_told_with_file_and_line(word: str, put: Callable[..., Path]) -> None:
    root = put("WDA_JoeNeguse.mp4", texts={TIMES: f"AdamSmith.mp4 00:02-04:55\nJoeNeguse.mp4 {word}\n"})
    with pytest.raises(SourceError, match=rf"WDA_annotion_time\.txt:2: '{word}' is no stretch"):
        discover(str(root), "hdtf")


def test_where_nothing_is_left_to_take_the_run_does_not_begin(put: Callable[..., Path]) -> None:
    with pytest.raises(SourceError, match=r"holds 1 video, and layout hdtf takes none.*were passed over"):
        discover(str(put("WDA_Nobody.mp4", texts={TIMES: LINES})), "hdtf")

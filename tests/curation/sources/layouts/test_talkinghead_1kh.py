"""TalkingHead-1KH: whole videos, pieces of a minute and clips of its scripts, and its lists of faces."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.trims import Trim

CLIP = "--Y9imYnfBw_0000_S210_E926_L568_T63_R792_B351.mp4"
TUBES = "--Y9imYnfBw_0000,720,1280,210,926,568,63,792,351\n--Y9imYnfBw_0000,720,1280,1000,1099,10,20,300,310\n"


def test_the_youtube_id_is_the_speaker(put: Callable[..., Path], told: Callable[..., object]) -> None:
    other = "_XQmEBCYXU8_0012_S0_E90_L100_T-3_R612_B509.mp4"
    root = put(f"train/cropped_clips/{CLIP}", f"train/cropped_clips/{other}")
    assert told(root) == {
        f"train/cropped_clips/{CLIP}": ("talkinghead_1kh", "--Y9imYnfBw", ()),
        f"train/cropped_clips/{other}": ("talkinghead_1kh", "_XQmEBCYXU8", ()),
    }


def test_pieces_are_cut_where_the_list_finds_a_face(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put("train/1min_clips/--Y9imYnfBw_0000.mp4", texts={"data_list/train_video_tubes.txt": TUBES})
    trims = (Trim(start=210.0, end=927.0, unit="pictures"), Trim(start=1000.0, end=1100.0, unit="pictures"))
    assert told(root)["train/1min_clips/--Y9imYnfBw_0000.mp4"] == ("talkinghead_1kh", "--Y9imYnfBw", trims)


def test_what_is_cut_furthest_is_taken(put: Callable[..., Path]) -> None:
    found = discover(
        str(
            put(
                *(f"train/raw_videos/{name}.mp4" for name in ("--Y9imYnfBw", "_XQmEBCYXU8", "aaaaaaaaaaa")),
                *(f"train/1min_clips/{name}.mp4" for name in ("--Y9imYnfBw_0000", "_XQmEBCYXU8_0003")),
                f"train/cropped_clips/{CLIP}",
            )
        )
    )
    assert [video.path.name for video in found.videos] == ["_XQmEBCYXU8_0003.mp4", CLIP, "aaaaaaaaaaa.mp4"]
    assert any(line.startswith("3 videos") and "passed over" in line for line in found.notes)


def test_a_piece_that_the_list_does_not_name_is_passed_over(put: Callable[..., Path]) -> None:
    root = put("--Y9imYnfBw_0000.mp4", "--Y9imYnfBw_0001.mp4", texts={"small_video_tubes.txt": TUBES})
    found = discover(str(root))
    assert [video.path.name for video in found.videos] == ["--Y9imYnfBw_0000.mp4"]
    assert any("--Y9imYnfBw_0001.mp4, were passed over" in line for line in found.notes)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--Y9imYnfBw_0000,720,1280,210,926,568,63,792", "is no line name,H,W,S,E,L,T,R,B"),
        ("--Y9imYnfBw_0000,720,1280,210.5,926,568,63,792,351", "is no line name,H,W,S,E,L,T,R,B"),
        ("--Y9imYnfBw_0000,720,1280,927,926,568,63,792,351", "S 927 is after E 926"),
    ],
)
def test_a_wrong_line_is_told_with_file_and_line(line: str, said: str, put: Callable[..., Path]) -> None:
    root = put("--Y9imYnfBw_0000.mp4", texts={"train_video_tubes.txt": f"{TUBES}{line}\n"})
    with pytest.raises(SourceError, match=rf"train_video_tubes\.txt:3: .*{said}"):
        discover(str(root))

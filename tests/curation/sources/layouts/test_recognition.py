"""Which layout a folder is taken for."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from curation.choices import LayoutChoice, LayoutName
from curation.cli.options import LayoutOption
from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.layouts import LAYOUTS

HDTF, VOX = "WDA_KatieHill_000.mp4", "mp4/id00012/21Uxsk56VDQ/00001.mp4"


def test_every_layout_has_a_name_and_can_be_chosen() -> None:
    names = {layout.name for layout in LAYOUTS}
    assert names == set(get_args(LayoutName))
    assert set(get_args(get_args(LayoutOption)[0])) == names | {"auto"}


@pytest.mark.parametrize(
    ("videos", "layout"),
    [
        ([HDTF], "hdtf"),
        (["CasualConversationsA/1178/1178_08.MP4"], "cc_v1"),
        (["0007_portuguese_nonscripted_1.mp4"], "cc_v2"),
        ([VOX], "voxceleb2"),
        (["--Y9imYnfBw_0000_S210_E926_L568_T63_R792_B351.mp4"], "talkinghead_1kh"),
        (["talks/anna.mp4"], "folder"),
        ([HDTF, "anna.mp4"], "folder"),
        ([HDTF, VOX], "folder"),
        (["1178_08.mp4"], "folder"),
    ],
)
def test_a_folder_is_recognised_where_all_its_videos_are_named_so(
    videos: list[str], layout: str, put: Callable[..., Path]
) -> None:
    found = discover(str(put(*videos)))
    assert found.layout == layout
    assert len(found.videos) == len(videos)
    assert any(f"has the layout {layout}" in line for line in found.notes) == (layout != "folder")


def test_what_may_be_two_layouts_is_a_plain_folder_and_that_is_said(put: Callable[..., Path]) -> None:
    # a name of eleven letters may be an uncut interview, and an uncut video of the other data set
    texts = {"txt/id00017/_mjZ87sK6cA/00001.txt": "FRAME X Y W H\n1 0 0 1 1\n", "val_video_tubes.txt": ""}
    found = discover(str(put("x/_mjZ87sK6cA.mp4", texts=texts)))
    assert (found.layout, found.videos[0].source, found.videos[0].speaker_id) == ("folder", "x", None)
    assert any("may have the layouts voxceleb2 and talkinghead_1kh" in line for line in found.notes)


@pytest.mark.parametrize("choice", [name for name in get_args(LayoutName) if name != "folder"])
def test_a_layout_is_of_folders_only(choice: LayoutChoice, put: Callable[..., Path]) -> None:
    root = put(HDTF)
    (root / "list.csv").write_text(f"path\n{HDTF}\n")
    for source in (root / "list.csv", root / HDTF, root / "*.mp4"):
        with pytest.raises(SourceError, match=f"--layout {choice} says how a folder lies"):
            discover(str(source), choice)
        assert discover(str(source)).layout is None


def test_a_folder_that_is_to_be_plain_names_nobody(put: Callable[..., Path]) -> None:
    (video,) = discover(str(put(HDTF)), "folder").videos
    assert (video.source, video.speaker_id) == ("raw", None)

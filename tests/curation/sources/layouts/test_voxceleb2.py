"""VoxCeleb2: folders of people and interviews, and the txt files that say where an utterance lies."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.trims import Trim

HEADER = (
    "Identity  : \tid00017\nReference : \t_mjZ87sK6cA\nOffset    : \t2\n"
    "FV Conf   : \t16.140\t(1)\nASD Conf  : \t5.142\n"
)


def utterance(first: int, last: int) -> str:
    rows = "".join(f"{number:06d} \t0.123 \t0.136 \t0.422 \t0.749 \n" for number in range(first, last + 1))
    return f"{HEADER}\nFRAME \tX \tY \tW \tH \n{rows}"


def test_the_folder_of_a_person_names_the_speaker(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put("dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "test/mp4/id00017/_mjZ87sK6cA/00003.mp4")
    assert told(root) == {
        "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4": ("voxceleb2", "id00012", ()),
        "test/mp4/id00017/_mjZ87sK6cA/00003.mp4": ("voxceleb2", "id00017", ()),
    }
    assert told(root / "dev" / "mp4" / "id00012" / "21Uxsk56VDQ") == {"00001.mp4": ("voxceleb2", "id00012", ())}


@pytest.mark.parametrize(
    "name",
    [
        "id10283#r9-0pljhZqs#009636#009808.mp4",
        "id10283#r9-0pljhZqs#00005.txt#000.mp4",
        "id10283#r9-0pljhZqs#001.mp4",
        "train/id10283#r9-0pljhZqs#00005.mp4",
        "id10283-r9-0pljhZqs-00005.mp4",
        "id10283_r9-0pljhZqs_00005.mp4",
        "id10283/r9-0pljhZqs#00005.mp4",
    ],
)
def test_an_utterance_as_one_name_has_its_speaker(
    put: Callable[..., Path], told: Callable[..., object], name: str
) -> None:
    assert told(put(name)) == {name: ("voxceleb2", "id10283", ())}


def test_a_name_without_a_person_is_no_utterance(put: Callable[..., Path], told: Callable[..., object]) -> None:
    assert told(put("r9-0pljhZqs#00005.mp4")) == {"r9-0pljhZqs#00005.mp4": ("raw", None, ())}


def test_of_an_uncut_interview_the_utterances_are_taken(put: Callable[..., Path], told: Callable[..., object]) -> None:
    # at 25 pictures a second, 8809 to 8858 is 352.36 s to 354.36 s, and 100 to 124 is 4 s to 5 s
    texts = {
        "txt/id00017/_mjZ87sK6cA/00107.txt": utterance(8809, 8858),
        "txt/id00017/_mjZ87sK6cA/00106.txt": utterance(100, 124),
    }
    root = put("interviews/_mjZ87sK6cA.mp4", texts=texts)
    trims = (Trim(start=4.0, end=5.0), Trim(start=352.36, end=354.36))
    assert told(root)["interviews/_mjZ87sK6cA.mp4"] == ("voxceleb2", "id00017", trims)


def test_of_two_people_in_one_interview_the_folder_says_who_is_meant(
    put: Callable[..., Path], told: Callable[..., object]
) -> None:
    texts = {
        "txt/id00017/_mjZ87sK6cA/00001.txt": utterance(0, 24),
        "txt/id00018/_mjZ87sK6cA/00001.txt": utterance(50, 74),
    }
    root = put("id00018/_mjZ87sK6cA.mp4", "both/_mjZ87sK6cA.mp4", texts=texts)
    assert told(root, "voxceleb2") == {
        "id00018/_mjZ87sK6cA.mp4": ("voxceleb2", "id00018", (Trim(start=2.0, end=3.0),)),
    }
    assert any("both/_mjZ87sK6cA.mp4, were passed over" in line for line in discover(str(root), "voxceleb2").notes)


def test_an_interview_whose_utterances_are_here_is_passed_over(put: Callable[..., Path]) -> None:
    found = discover(str(put("mp4/id00012/21Uxsk56VDQ/00001.mp4", "raw/21Uxsk56VDQ.mp4")), "voxceleb2")
    assert [video.path.name for video in found.videos] == ["00001.mp4"]
    assert any("raw/21Uxsk56VDQ.mp4, are uncut and were passed over" in line for line in found.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER, r"00001\.txt: lists no picture"),
        (f"{HEADER}\nFRAME X Y W H\n000001 0 0 1 1\nend\n", r"00001\.txt:9: 'end' is not the number"),
    ],
)
def test_an_utterance_of_another_form_is_told_with_its_place(text: str, said: str, put: Callable[..., Path]) -> None:
    root = put("raw/_mjZ87sK6cA.mp4", texts={"txt/id00017/_mjZ87sK6cA/00001.txt": text})
    with pytest.raises(SourceError, match=said):
        discover(str(root))

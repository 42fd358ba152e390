"""Persons of made face tracks: likeness, links, speaker ids, confidence, ids, and what does not fit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from curation.identities.conflicts import conflicts_of
from curation.identities.face_limits import FaceLimits
from curation.identities.face_tracks import FaceTracks
from curation.identities.known_persons import KnownPersons, persons_of
from curation.identities.link_file import LinkFileError, UserLinks, read_links
from curation.identities.person_ids import group_ids
from curation.identities.persons import Persons, Speaker, persons_of_tracks

LIMITS = FaceLimits(across=0.9, within=0.7, scale=0.02)

NO_LINKS = UserLinks()


def faces(angles_deg: Sequence[float], videos: str, at_once: Sequence[tuple[int, int]] = ()) -> FaceTracks:
    """Tracks whose descriptors are directions in a plane, so that the cosine is that of the angle between."""
    angles = np.radians(angles_deg)
    numbers = np.arange(len(videos), dtype=np.int64)
    return FaceTracks(
        video_id=tuple(videos),
        track_id=numbers,
        first_tick=numbers,
        last_tick=numbers,
        n_descriptors=numbers + 1,
        descriptor=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        length=1.0,
        at_once=frozenset(at_once),
    )


def persons(tracks: FaceTracks, speakers: dict[int, Speaker] | None = None, links: UserLinks = NO_LINKS) -> Persons:
    return persons_of_tracks(tracks, speakers or {}, links, LIMITS, threads=1)


# cos 20° = 0.94, cos 30° = 0.87, cos 40° = 0.77, cos 60° = 0.5


def test_faces_of_two_videos_need_more_likeness_than_those_of_one() -> None:
    assert persons(faces([0, 30], "ab")).group.tolist() == [0, 1]
    assert persons(faces([0, 30], "aa")).group.tolist() == [0, 0]
    assert persons(faces([0, 20], "ab")).group.tolist() == [0, 0]


def test_faces_seen_at_once_are_two_people_unless_the_user_says_otherwise() -> None:
    twins = faces([0, 0], "aa", [(0, 1)])
    assert persons(twins).group.tolist() == [0, 1]
    assert persons(twins, links=UserLinks(must=((0, 1),))).group.tolist() == [0, 0]


def test_what_the_user_says_counts_more_than_likeness() -> None:
    assert persons(faces([0, 90], "ab"), links=UserLinks(must=((0, 1),))).group.tolist() == [0, 0]
    assert persons(faces([0, 0], "ab"), links=UserLinks(cannot=((0, 1),))).group.tolist() == [0, 1]
    with pytest.raises(LinkFileError, match="b:1 and a:0 are one person, and that they are not"):
        persons(faces([0, 0], "ab"), links=UserLinks(must=((0, 1),), cannot=((1, 0),)))


def test_speaker_ids_are_respected_and_what_contradicts_them_is_listed() -> None:
    anna, bert = ("talks", "anna"), ("talks", "bert")
    tracks = faces([0, 60, 0, 90], "abcd")
    found = persons(tracks, {0: anna, 1: anna, 2: bert})
    assert found.group.tolist() == [0, 0, 2, 3]
    words = conflicts_of(found, ["A", "A", "B", "C"], {0: anna, 1: anna, 2: bert}, LIMITS)
    assert "unlike the other faces of speaker anna: mean cosine 0.500, the limit is 0.90" in (words[1] or "")
    assert "like B, speaker bert (mean cosine 1.000), and must be another" in (words[0] or "")
    assert words[3] is None


def test_two_faces_of_one_speaker_id_at_once_stay_two_people_and_are_listed() -> None:
    anna = ("talks", "anna")
    tracks = faces([0, 90], "aa", [(0, 1)])
    found = persons(tracks, {0: anna, 1: anna})
    assert found.group.tolist() == [0, 1]
    assert "speaker anna is A elsewhere" in (conflicts_of(found, ["A", "B"], {0: anna, 1: anna}, LIMITS)[1] or "")


def test_confidence_is_the_weaker_of_being_this_person_and_no_other() -> None:
    found = persons(faces([0, 10, 60], "abc"))
    assert found.group.tolist() == [0, 0, 2]
    own = LIMITS.chance(np.array([np.cos(np.radians(10))]))[0]
    assert own == pytest.approx(1 / (1 + np.exp(-(np.cos(np.radians(10)) - 0.9) / 0.02)))
    assert found.confidence[:2] == pytest.approx([own, own], abs=1e-6)
    rival = 1 - LIMITS.chance(np.array([(np.cos(np.radians(60)) + np.cos(np.radians(50))) / 2]))[0]
    assert found.confidence[2] == pytest.approx(rival, abs=1e-6)
    said = persons(faces([0, 90], "ab"), links=UserLinks(must=((0, 1),)))
    assert said.confidence.tolist() == [1.0, 1.0]


def test_ids_stay_with_most_of_their_members_and_are_never_given_to_others() -> None:
    keys = [(video, 0) for video in "abcdef"]
    first = group_ids(np.array([0, 0, 0, 3, 3, 5]), keys, {}, "p")
    assert len(set(first)) == 3
    before = dict(zip(keys, first, strict=True))
    # a person is divided: the larger part keeps the id
    divided = group_ids(np.array([0, 1, 1, 3, 3, 5]), keys, before, "p")
    assert divided[1:] == first[1:]
    assert divided[0] not in first
    # two persons become one: the id of the larger
    assert group_ids(np.array([0, 0, 0, 0, 0, 5]), keys, before, "p") == [first[0]] * 5 + [first[5]]
    # a new video, and one that is gone
    later = group_ids(np.array([0, 1, 1]), [("d", 0), ("g", 0), ("h", 0)], before, "p")
    assert later[0] == first[3]
    assert later[1] not in first


def test_an_id_tells_nothing_and_follows_from_the_first_member() -> None:
    ids = group_ids(np.array([0, 1]), [("b", 0), ("a", 3)], {}, "p")
    assert ids == group_ids(np.array([7, 2]), [("b", 0), ("a", 3)], {}, "p")
    assert all(len(one) == 18 and one.startswith("p-") for one in ids)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("first,second\na:0,b:1\n", "its first line is not link,first,second"),
        ("link,first,second\nmaybe,a:0,b:1\n", r":2: link is 'maybe'; give must or cannot"),
        ("link,first,second\nmust,a:0,c:1\n", r":2: 'c:1' is no face of the dataset"),
        ("link,first,second\nmust,a:0\n", r":2: None is no face of the dataset"),
        ("link,first,second\nmust,a:0,b:1,x\n", r":2: link is 'must'; give must or cannot, and two faces"),
    ],
)
def test_a_file_of_links_that_says_nothing_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "links.csv"
    path.write_text(text)
    with pytest.raises(LinkFileError, match=expected):
        read_links(path, {"a:0": 0, "b:1": 1})


def test_a_missing_file_of_links_is_named(tmp_path: Path) -> None:
    with pytest.raises(LinkFileError, match=r"none\.csv cannot be read"):
        read_links(tmp_path / "none.csv", {})


def test_new_faces_are_known_persons_or_nobody() -> None:
    means = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
    known = KnownPersons(person_ids=("p-a", "p-b"), means=means, limits=LIMITS)
    found = persons_of(
        np.array([[5.0, 0.0, 0.0], [0.0, 1.0, 0.1], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], np.float32), known
    )
    assert [None if one is None else one.person_id for one in found] == ["p-a", "p-b", None, None]
    assert found[0] is not None
    assert found[0].confidence == pytest.approx(LIMITS.chance(np.array([1.0]))[0])
    assert persons_of(np.zeros((0, 3), np.float32), known) == []

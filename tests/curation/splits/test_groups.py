import pyarrow as pa
import pytest

from curation.splits.groups import clip_groups


def clips_of(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    """Return clips of (video, speaker, person), called 0, 1, 2 and so on."""
    videos, speakers, persons = zip(*rows, strict=True)
    return pa.table(
        {
            "clip_id": [str(number) for number in range(len(rows))],
            "video_id": list(videos),
            "speaker_id": pa.array(speakers, pa.string()),
            "person_id": pa.array(persons, pa.string()),
        }
    )


@pytest.mark.parametrize(
    ("rows", "copies", "expected"),
    [
        ([("v", None, None), ("v", None, None), ("w", None, None)], {}, [[0, 1], [2]]),
        ([("v", None, "p"), ("w", None, "p"), ("x", None, "q")], {}, [[0, 1], [2]]),
        # two people of one video need not be together, unless a third clip of it may show either
        ([("v", None, "p"), ("v", None, "q")], {}, [[0], [1]]),
        ([("v", None, "p"), ("v", None, "q"), ("v", None, None)], {}, [[0, 1, 2]]),
        # the layout says who speaks, and descriptors saw two persons
        ([("v", "s", "p"), ("w", "s", "q"), ("x", "t", None)], {}, [[0, 1], [2]]),
        ([("v", None, "p"), ("w", None, "q"), ("x", None, "r")], {"v": "v", "x": "v"}, [[0, 2], [1]]),
        # p and q were in two copies of one video, q in another one too
        ([("v", None, "p"), ("w", None, "q"), ("x", None, "q")], {"v": "v", "w": "v"}, [[0, 1, 2]]),
        # a person and a speaker of the same name are two
        ([("v", "p", None), ("w", None, "p")], {}, [[0], [1]]),
    ],
)
def test_people_speakers_and_copies_hold_clips_together(
    rows: list[tuple[str, str | None, str | None]], copies: dict[str, str], expected: list[list[int]]
) -> None:
    assert sorted(clip_groups(clips_of(*rows), copies)) == expected

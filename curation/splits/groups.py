"""Groups of clips that may not be on two sides of a split: what a person, a speaker or copies of a video hold together.

Every clip belongs to a person, to the speaker that the layout of the source names, and, where neither is known, to its
video. Near-duplicate videos hold all of their clips together. A group is everything that such links connect.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

import pyarrow as pa

__all__ = ["CLIP_COLUMNS", "Bond", "bonds_of", "clip_groups"]

CLIP_COLUMNS = ("clip_id", "video_id", "speaker_id", "person_id", "n_frames", "split")
"""Columns of `clips` that decide on the split."""

Bond = tuple[Literal["person", "speaker", "video", "copies"], str]
"""What holds clips together: the kind, and the name of the person, the speaker, the video, or the group of copies."""


def bonds_of(person: str | None, speaker: str | None, video: str, copies: str | None) -> list[Bond]:
    """Return what holds a clip together with others, the surest first.

    Of a clip without person and speaker, somebody who is in its video may be shown: it stays with the video.

    >>> bonds_of("p7", None, "v1", None)
    [('person', 'p7')]
    """
    bonds: list[Bond] = []
    if person is not None:
        bonds.append(("person", person))
    if speaker is not None:
        bonds.append(("speaker", speaker))
    if copies is not None:
        bonds.append(("copies", copies))
    if person is None and speaker is None:
        bonds.append(("video", video))
    return bonds


def clip_groups(clips: pa.Table, copies: Mapping[str, str]) -> list[list[int]]:
    """Return the groups of clips, as the numbers of their rows.

    Args:
        clips: rows of the table `clips`, with `CLIP_COLUMNS`.
        copies: by video id, the group of near-duplicate videos that the video belongs to.

    Returns:
        One list of rows per group; each row is in one of them.
    """
    names = [clips[name].to_pylist() for name in ("person_id", "speaker_id", "video_id")]
    with_unknown = {video for person, speaker, video in zip(*names, strict=True) if person is None and speaker is None}
    joined = _Joined()
    for person, speaker, video in zip(*names, strict=True):
        bonds = bonds_of(person, speaker, video, copies.get(video))
        if video in with_unknown and ("video", video) not in bonds:
            bonds.append(("video", video))
        joined.join(bonds)
    rows: dict[Bond, list[int]] = defaultdict(list)
    for number, (person, speaker, video) in enumerate(zip(*names, strict=True)):
        rows[joined.head(bonds_of(person, speaker, video, copies.get(video))[0])].append(number)
    return list(rows.values())


class _Joined:
    """Disjoint sets of bonds (union by path halving)."""

    def __init__(self) -> None:
        self._above: dict[Bond, Bond] = {}

    def head(self, bond: Bond) -> Bond:
        above = self._above
        above.setdefault(bond, bond)
        while above[bond] != bond:
            above[bond] = above[above[bond]]
            bond = above[bond]
        return bond

    def join(self, bonds: Iterable[Bond]) -> None:
        heads = [self.head(bond) for bond in bonds]
        for head in heads[1:]:
            self._above[self.head(head)] = self.head(heads[0])

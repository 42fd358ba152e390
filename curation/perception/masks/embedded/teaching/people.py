"""People of the real videos: who is in which file, who is held out, and when a mask covers a mouth."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "FOLDS",
    "HELD_OUT",
    "TRAIN_CLIPS",
    "Footage",
    "folds",
    "held_out_footage",
    "talk_footage",
    "teaching_footage",
]

HELD_OUT = ("WDA_AlexandriaOcasioCortez_000", "latentsync_demo1", "lp_d12", "lp_d13")
"""Clips of people who are never in the training data; drawn masks are measured on them."""

TRAIN_CLIPS = (
    "3ddfa_obama",
    "WDA_KatieHill_000",
    "astronaut",
    "dj_video4",
    "dj_video5",
    "fr_hamilton",
    "lp_d14",
    "lp_d20",
    "lp_d6",
    "lp_s18",
    "talkvid_10",
)
"""Clips of people in the training data. `dj_video1` is a cartoon: it has no face."""

FOLDS = 3
"""Parts into which all people of the training data are divided: a network trained on two is measured on the third."""

_NOT_TAUGHT = (
    "p017_03",
    "p070_06",
    "p088_01",
    "p089+p090_01",
    "p095_01",
    "p096_01",
    "p097_01",
    "p098_01",
    "p101_01",
    "p156_01",
    "p157_01",
    "p158_01",
    "p161_01",
)
"""Files of `talk` from repositories whose licence excludes commercial use: measured on, never taught with."""

_SAME_PERSON = {"p022": "3ddfa_obama", "p052": "WDA_AlexandriaOcasioCortez_000", "p083": "WDA_KatieHill_000"}
"""People of `talk` who are in `clips`, too."""

_ENDLESS = 1e9

_WORN = {
    "p002_01": ((1.6, _ENDLESS),),
    "p011+p012_01": ((0.0, 1.1),),
    "p034_01": ((0.0, _ENDLESS),),
    "p144_01": ((0.0, 23.0), (28.8, 34.8)),
    "p144_02": ((0.0, 9.6),),
}
"""Seconds of the files of `talk` in which a worn mask covers the mouth; seen by eye."""

_UNCLEAR = {
    "p002_01": ((0.4, 1.6),),
    "p011+p012_01": ((1.1, 1.5),),
    "p144_01": ((23.0, 23.7), (28.0, 28.8), (34.8, 35.4)),
    "p144_02": ((9.6, 11.2),),
    "p210_01": ((5.0, _ENDLESS),),
    "p211_01": ((2.5, 8.5),),
}
"""Seconds that teach nothing: a mask is put on or taken off, a helmet closes, a finger lies on the lips."""

_FILE_NAME = re.compile(r"(p\d+(?:\+p\d+)*)_\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Footage:
    """A video of one or more people."""

    identity: str
    """Name of the people in it. All who are ever seen together count as one identity, so that no person is on both
    sides of a split."""
    path: Path | None
    """The file; None stands for scikit-image's photograph of an astronaut."""

    def worn_at(self, time_s: float) -> bool | None:
        """Return whether a worn mask covers the mouth at this time; None where nobody can judge."""
        stem = "" if self.path is None else self.path.stem
        if _within(_UNCLEAR.get(stem, ()), time_s):
            return None
        return _within(_WORN.get(stem, ()), time_s)


def held_out_footage(shared: Path) -> list[Footage]:
    """Return the clips of the people who are never in the training data."""
    return [Footage(identity=name, path=shared / "clips" / f"{name}.mp4") for name in HELD_OUT]


def teaching_footage(shared: Path) -> list[Footage]:
    """Return all videos of the training data: those of `clips` and `talk` but for people held out.

    Raises:
        FileNotFoundError: there is no folder `talk`.
    """
    clips = [
        Footage(identity=name, path=None if name == "astronaut" else shared / "clips" / f"{name}.mp4")
        for name in TRAIN_CLIPS
    ]
    talk = [one for one in talk_footage(shared) if one.path is not None and one.path.stem not in _NOT_TAUGHT]
    return [*clips, *(one for one in talk if one.identity not in HELD_OUT)]


def talk_footage(shared: Path) -> list[Footage]:
    """Return the videos of `talk` that show people, those that are never taught with included.

    Raises:
        FileNotFoundError: there is no folder `talk`.
    """
    folder = shared / "talk"
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} not found; set GAIA_SHARED to the folder of the real videos")
    named = [(file, match[1].split("+")) for file in sorted(folder.iterdir()) if (match := _FILE_NAME.match(file.stem))]
    identity = _identities([people for _, people in named])
    return [Footage(identity=identity[people[0]], path=file) for file, people in named]


def _identities(seen_together: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the identity of every person: the same for all who are linked by being seen together.

    >>> _identities([["p1", "p2"], ["p3"], ["p2", "p4"]])
    {'p1': 'p1', 'p2': 'p1', 'p3': 'p3', 'p4': 'p1'}
    """
    identity = {person: _SAME_PERSON.get(person, person) for people in seen_together for person in people}
    for people in seen_together:
        first, *others = sorted({identity[person] for person in people}, key=lambda name: (name.startswith("p"), name))
        identity = {person: first if name in others else name for person, name in identity.items()}
    return identity


def folds(shared: Path) -> dict[str, int]:
    """Return the fold in which each identity is held out, 0 to `FOLDS` - 1.

    The people who wear masks are dealt out first, so that each fold has some.

    Raises:
        FileNotFoundError: there is no folder `talk`.
    """
    identities = [*TRAIN_CLIPS, *(one.identity for one in talk_footage(shared))]
    wearers = {stem.split("_")[0].split("+")[0] for stem in _WORN}
    ordered = sorted(set(identities), key=lambda name: (name not in wearers, name))
    return {identity: index % FOLDS for index, identity in enumerate(ordered)}


def _within(spans: Sequence[tuple[float, float]], time_s: float) -> bool:
    return any(first <= time_s < end for first, end in spans)

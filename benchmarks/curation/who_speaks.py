"""Of two people in talk, does each second go to the one who speaks?

    python -m benchmarks.curation.who_speaks DATASET OUT --set perception.speaking=lr_asd

DATASET was curated, with the preset `embedded`, from a folder with the videos that `TALKS` names. Talks of two people
are made of them (`made_talks`) and curated into OUT. A line is printed for each, with seconds of tier `diffusion`:
`right` show the one who speaks, `wrong` another or two at once, and `wanted` are those on which exactly one speaks and
is seen.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.curation.made_talks import HALF_PX, MadeTalk, Person, Turn, person, write_talk
from curation.engine.execution import Executor
from curation.media.probe import probe
from curation.operations.run import run
from curation.output.frame_rows import evidence_of_frames
from curation.settings import load_settings
from manifests.files.tables import read_table
from manifests.timeline import TICK_RATE_HZ

TICK_HZ = float(TICK_RATE_HZ)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A stretch of a video in which one person talks, seconds."""

    stem: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Script:
    """A talk to be made."""

    left: Source
    right: Source
    turns: Sequence[Turn]
    mute_lips: bool = False
    """Who listens is shown talking without his sound."""


def _turns(text: str) -> tuple[Turn, ...]:
    """Return turns of a text such as ``a5 b4/a``: a speaks for 5 s, then b for 4 s, of which only a is seen."""
    found = []
    for word in text.split():
        spoken, _, shows = word.partition("/")
        speaks = spoken.rstrip("0123456789.")
        found.append(Turn(speaks=speaks, seconds=float(spoken[len(speaks) :]), shows=shows or "ab"))
    return tuple(found)


_IN_TURN = _turns("a5 b4.5 a4 b5")
_AWAY = _turns("a6 b5/a b5 a4")
_AT_ONCE = _turns("a5 ab4 b6 a3.5")

_SOURCES = {
    "p001": Source(stem="p001_01", start_s=0.0, end_s=12.7),
    "p017": Source(stem="p017_03", start_s=0.0, end_s=20.0),
    "p022": Source(stem="p022_06", start_s=0.0, end_s=5.9),
    "p056": Source(stem="p056_01", start_s=0.0, end_s=9.2),
    "p056b": Source(stem="p056_01", start_s=11.4, end_s=21.9),
    "p076": Source(stem="p076_01", start_s=0.9, end_s=16.5),
    "p083": Source(stem="p083_01", start_s=0.0, end_s=10.1),
    "p107": Source(stem="p107_01", start_s=17.0, end_s=37.4),
    "p108": Source(stem="p108_01", start_s=0.4, end_s=17.4),
    "p111": Source(stem="p111_01", start_s=0.0, end_s=26.8),
    "p111b": Source(stem="p111_01", start_s=28.0, end_s=44.0),
    "p165": Source(stem="p165_01", start_s=47.7, end_s=62.0),
    "p199": Source(stem="p199_01", start_s=0.0, end_s=13.7),
    "p217": Source(stem="p217_01", start_s=0.2, end_s=14.5),
    "p223": Source(stem="p223_04", start_s=0.0, end_s=29.4),
    "p223b": Source(stem="p223_04", start_s=30.0, end_s=59.0),
}
"""Stretches of real single speakers, all of which the rules keep in tier `diffusion`."""


def _script(left: str, right: str, turns: Sequence[Turn], *, mute_lips: bool = False) -> Script:
    return Script(left=_SOURCES[left], right=_SOURCES[right], turns=turns, mute_lips=mute_lips)


TALKS = {
    "m01": _script("p001", "p017", _IN_TURN),
    "m02": _script("p056", "p217", _turns("b4 a4.5 b3.5 a4/b b4")),
    "m03": _script("p199", "p165", _AWAY),
    "m04": _script("p107", "p111", _IN_TURN),
    "m05": _script("p108", "p223", _AT_ONCE),
    "m06": _script("p022", "p083", _turns("b5 a5 b4/a")),
    "m07": _script("p076", "p001", _IN_TURN),
    "m08": _script("p111b", "p056b", _AT_ONCE),
    "m09": _script("p223b", "p199", _AWAY),
    "m10": _script("p107", "p017", _turns("b4 a6 b3.5 a4/b b4")),
    "x04": _script("p107", "p111", _IN_TURN, mute_lips=True),
    "x07": _script("p076", "p001", _IN_TURN, mute_lips=True),
    "x09": _script("p223b", "p199", _AWAY, mute_lips=True),
}
"""By name. Who listens in those that begin with ``x`` talks on without a sound: a harder case than real talks have."""


def make_talks(dataset: Path, out: Path) -> dict[str, MadeTalk]:
    """Write the talks, and return what is true of each by its name."""
    rows = read_table(dataset, "videos", ["video_id", "path", "duration_s"]).to_pylist()
    videos = {PurePosixPath(row["path"]).stem: row for row in rows}
    frames = read_table(dataset, "frames")

    def talker(source: Source) -> Person:
        row = videos[source.stem]
        own = frames.filter(pc.equal(frames["video_id"], pa.scalar(row["video_id"])))
        evidence = evidence_of_frames(own, round(row["duration_s"] * TICK_RATE_HZ))
        talks = round(source.start_s * TICK_HZ), min(round(source.end_s * TICK_HZ), len(evidence) - 8)
        return person(probe(Path(row["path"])), evidence, talks)

    return {
        name: write_talk(out / f"{name}.mp4", (talker(one.left), talker(one.right)), one.turns, mute_lips=one.mute_lips)
        for name, one in TALKS.items()
    }


def counted(talk: MadeTalk, clips: pa.Table, frames: pa.Table) -> dict[str, float]:
    """Return seconds that show the right person, another one, and that were wanted.

    Args:
        talk: what is true.
        clips: rows of `clips` of the video, with their ticks.
        frames: rows of `frames` of the video.
    """
    middle = {
        row["tick"]: (row["box"][0] + row["box"][2]) / 2
        for row in frames.select(["tick", "box"]).to_pylist()
        if row["box"] is not None
    }
    n = len(talk.speaks)
    shown = np.full(n, "", dtype=object)
    for clip in clips.filter(pc.equal(clips["tier"], pa.scalar("diffusion"))).to_pylist():
        for tick in range(round(clip["start_s"] * TICK_HZ), min(round(clip["end_s"] * TICK_HZ), n)):
            seen = talk.shows[tick]
            shown[tick] = seen if len(seen) == 1 else "ab"[int(middle[tick] >= HALF_PX)]
    speaks, sees = np.array(talk.speaks, dtype=object), talk.shows
    kept = (shown != "") & (speaks != "")
    wanted = np.array([len(one) == 1 and one in seen for one, seen in zip(speaks, sees, strict=True)])
    return {
        "right": np.count_nonzero(kept & (shown == speaks)) / TICK_HZ,
        "wrong": np.count_nonzero(kept & (shown != speaks)) / TICK_HZ,
        "wanted": np.count_nonzero(wanted) / TICK_HZ,
    }


def main() -> None:
    """Make the talks, curate them, and print what was kept of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", action="append", default=[], help="a setting, NAME=VALUE")
    arguments = parser.parse_args()
    talks_folder = arguments.out / "talks"
    talks_folder.mkdir(parents=True, exist_ok=True)
    truth = make_talks(arguments.dataset, talks_folder)
    curated = arguments.out / "dataset"
    run(str(talks_folder), curated, load_settings("embedded", overrides=arguments.set), Executor())
    rows = read_table(curated, "videos", ["video_id", "path"]).to_pylist()
    clips, frames = read_table(curated, "clips"), read_table(curated, "frames")
    totals: dict[str, dict[str, float]] = {}
    for row in sorted(rows, key=lambda row: row["path"]):
        name = PurePosixPath(row["path"]).stem
        of_video = [table.filter(pc.equal(table["video_id"], pa.scalar(row["video_id"]))) for table in (clips, frames)]
        seconds = counted(truth[name], *of_video)
        print(json.dumps({"talk": name} | seconds))
        total = totals.setdefault(name[0], dict.fromkeys(seconds, 0.0))
        for key, value in seconds.items():
            total[key] += value
    for kind, total in totals.items():
        kept = total["right"] + total["wrong"]
        figures = {"precision": total["right"] / kept if kept else None, "recall": total["right"] / total["wanted"]}
        print(json.dumps({"talks": kind} | total | figures))


if __name__ == "__main__":
    main()

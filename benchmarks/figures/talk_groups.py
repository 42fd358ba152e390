"""What do the rules keep of a folder of real videos, by what the videos show, and how much of what a person would keep?

    python -m benchmarks.figures.talk_groups DATASET MANIFEST --worth benchmarks/results/2026-11-talk-worth.tsv

DATASET was curated from the folder that MANIFEST describes: a table with the columns `file`, `people`, `shows` and
`flags`. `--page` writes the tables into a page between the marks `<!-- figures groups begins -->` and
`<!-- figures groups ends -->`, likewise `worth`; `--dataset-before` adds what another dataset of the same videos keeps.
"""

import argparse
import csv
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manifests.files.tables import read_table
from manifests.vocabulary import TIERS

GROUPS = {
    "talking": "one person who talks, sound presumed original",
    "talking, other sound": "one person who talks; sound dubbed, silent, unknown or none",
    "not talking": "one person who does not talk, or of whom it is not known",
    "profile": "one person, seen from the side or nearly so",
    "masks": "a mask is worn for some time, or a helmet closed",
    "photo": "photographs, or pictures of people who do not move",
    "several people": "two or more people",
    "generated": "generated or altered faces that talk",
    "nobody": "no person, or a drawn one",
}
"""By name, what its files show. A file is in the first group below that fits."""

Seconds = Mapping[tuple[str, str], float]
"""Seconds by tier and outcome."""


@dataclass(frozen=True, kw_only=True)
class File:
    """File of the manifest."""

    name: str
    group: str


def group_of(row: Mapping[str, str]) -> str:
    """Return the group of a row of the manifest."""
    kind, talks, sound, rest = (*(part.strip() for part in row["flags"].split(";", 3)), "")[:4]
    words = f"{rest} {row['shows']}"
    patterns = {
        "generated": kind == "generated",
        "nobody": kind in {"no person", "animation"},
        "masks": re.search(r"mask worn|helmet", words),
        "photo": re.search(r"photo of a face|stock portraits", words),
        "several people": row["people"] not in {"0", "1"},
        "profile": re.search(r"\bprofile\b", words),
        "not talking": talks != "talking y",
        "talking": sound == "sync ok-presumed",
    }
    return next((name for name, fits in patterns.items() if fits), "talking, other sound")


def read_files(manifest: Path) -> dict[str, File]:
    """Return the files of a manifest by their stems."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    stems = {PurePosixPath(row["file"]).stem: row for row in rows}
    return {stem: File(name=stem, group=group_of(row)) for stem, row in stems.items()}


def seconds_by_file(dataset: Path) -> dict[str, Seconds]:
    """Return the seconds of every outcome of each curated video by its stem."""
    videos = read_table(dataset, "videos", ["video_id", "path", "status", "duplicate_of"]).to_pylist()
    stems = {
        row["video_id"]: PurePosixPath(row["path"]).stem
        for row in videos
        if row["status"] == "ok" and row["duplicate_of"] is None
    }
    found: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for span in read_table(dataset, "spans", ["video_id", "start_s", "end_s", "tier", "outcome"]).to_pylist():
        seconds: dict[tuple[str, str], float] = {(span["tier"], span["outcome"]): span["end_s"] - span["start_s"]}
        found[stems[span["video_id"]]].update(seconds)
    return dict(found)


def group_table(files: Mapping[str, File], now: Mapping[str, Seconds], before: Mapping[str, Seconds]) -> str:
    """Return a Markdown table with a row per group: its files and seconds, what is kept, and what drops the rest."""
    lines = [
        ["group", "files", "seconds", "`diffusion`, s", "any tier, s", "dropped from `diffusion` by, s"],
        ["---"] * 6,
    ]
    for group in GROUPS:
        stems = [stem for stem, file in files.items() if file.group == group and stem in now]
        total: Counter[tuple[str, str]] = Counter()
        for stem in stems:
            total.update(now[stem])
        length = sum(seconds for (tier, _), seconds in total.items() if tier == "diffusion")
        kept = [_change(stems, tier, now, before) for tier in TIERS]
        drops = sorted(
            ((seconds, name) for (tier, name), seconds in total.items() if tier == "diffusion" and name != "kept"),
            reverse=True,
        )
        told = ", ".join(f"`{name}` {seconds:.0f}" for seconds, name in drops if seconds >= 0.5)
        lines.append([group, str(len(stems)), f"{length:.0f}", *kept, told])
    return _table(lines)


def _change(stems: Sequence[str], tier: str, now: Mapping[str, Seconds], before: Mapping[str, Seconds]) -> str:
    kept = [
        sum(seconds[stem].get((tier, "kept"), 0.0) for stem in stems if stem in seconds) for seconds in (now, before)
    ]
    return f"{kept[1]:.0f} → {kept[0]:.0f}" if before else f"{kept[0]:.0f}"


def worth_table(worth: Mapping[str, float], now: Mapping[str, Seconds], before: Mapping[str, Seconds]) -> str:
    """Return a Markdown table of what a person would keep of real speakers, and what the rules keep of them."""
    stems = sorted(worth)
    length = sum(seconds for stem in stems for (tier, _), seconds in now[stem].items() if tier == "vae")
    rows = [("worth keeping, judged by eye", sum(worth.values()))]
    rows += [
        (
            f"kept in {'any tier' if tier == 'vae' else '`diffusion`'}{when}",
            sum(of[s].get((tier, "kept"), 0.0) for s in stems),
        )
        for when, of in ((", before", before), ("", now))
        if of
        for tier in TIERS
    ]
    lines = [[f"{len(stems)} real speakers, {length:.1f} s", "seconds", "share"], ["---"] * 3]
    return _table([*lines, *([name, f"{seconds:.1f}", f"{100 * seconds / length:.1f} %"] for name, seconds in rows)])


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_table(page: str, name: str, table: str) -> str:
    """Return the text of a page with another table between its marks."""
    begin, end = f"<!-- figures {name} begins -->\n", f"<!-- figures {name} ends -->"
    head, mark, rest = page.partition(begin)
    _, last, tail = rest.partition(end)
    if not mark or not last:
        raise SystemExit(f"the page has no place for the figures {name!r}")
    return f"{head}{begin}{table}{end}{tail}"


def main() -> None:
    """Read, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--worth", type=Path, required=True, help="table of seconds worth keeping, by file")
    parser.add_argument("--dataset-before", type=Path, help="dataset of the same videos to compare with")
    parser.add_argument("--page", type=Path, nargs="*", default=(), help="pages to write the tables into")
    arguments = parser.parse_args()
    files, now = read_files(arguments.manifest), seconds_by_file(arguments.dataset)
    before = seconds_by_file(arguments.dataset_before) if arguments.dataset_before else {}
    with arguments.worth.open(encoding="utf-8", newline="") as file:
        worth = {row["file"]: float(row["worth_s"]) for row in csv.DictReader(file, delimiter="\t")}
    tables = {"groups": group_table(files, now, before), "worth": worth_table(worth, now, before)}
    for page in arguments.page:
        text = page.read_text(encoding="utf-8")
        for name, table in tables.items():
            if f"<!-- figures {name} begins -->" in text:
                text = with_table(text, name, table)
        page.write_text(text, encoding="utf-8")
    print("\n".join(tables.values()))
    missing = sorted(set(files) - set(now))
    print(f"{len(missing)} files of the manifest were not curated: {', '.join(missing)}" if missing else "")


if __name__ == "__main__":
    main()

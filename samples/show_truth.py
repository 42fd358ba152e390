"""Compare a curated dataset of the sample video with the truth of the video: every stretch, in both tiers.

    python samples/show_truth.py out/demo

A stretch agrees if all its ticks have the outcome of the truth, except for 0.2 s at either end, where the exact tick is
a matter of definition; a cut agrees if a span begins at it, within 0.2 s, and no tick is lost there. Prints a
table and exits with 1 if anything differs.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from foundation.text import clock_text, text_table
from manifests.files.tables import read_table
from manifests.timeline import tick_count
from manifests.vocabulary import TIERS

TOLERANCE_S = 0.2
TRUTH = Path(__file__).with_name("talking_astronaut.truth.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """One stretch of the truth, or one cut in it, in one tier."""

    start_s: float
    end_s: float
    label: str
    tier: str
    expected: str
    found: str
    """Outcome of most ticks of the stretch; for a cut, where a shot begins."""
    off_s: float
    """Seconds of the stretch with another outcome, apart from the tolerance at its ends; for a cut, its error."""
    agrees: bool


def compare(dataset: Path, truth: Path = TRUTH) -> list[Agreement]:
    """Return the agreement of every stretch and cut of the truth with a dataset of the sample video alone."""
    stretches = json.loads(truth.read_text(encoding="utf-8"))
    spans = read_table(dataset, "spans").to_pylist()
    rows = []
    for tier in TIERS:
        tier_spans = [span for span in spans if span["tier"] == tier]
        outcomes = [span["outcome"] for span in tier_spans for _ in range(tick_count(span["end_s"] - span["start_s"]))]
        shots = [span["start_s"] for span in tier_spans if "cut" in span["failed"]]
        for stretch in stretches:
            rows.append(_stretch(stretch, tier, outcomes))
            rows += [_cut(cut_s, tier, shots) for cut_s in stretch["cuts"]]
    return sorted(rows, key=lambda row: (row.start_s, row.tier))


def _stretch(stretch: dict, tier: str, outcomes: list[str]) -> Agreement:
    inner = outcomes[round((stretch["start_s"] + TOLERANCE_S) * 25) : round((stretch["end_s"] - TOLERANCE_S) * 25)]
    expected = stretch["outcome"][tier]
    wrong = sum(outcome != expected for outcome in inner)
    return Agreement(
        start_s=stretch["start_s"],
        end_s=stretch["end_s"],
        label=stretch["label"],
        tier=tier,
        expected=expected,
        found=max(sorted(set(inner)), key=inner.count),
        off_s=wrong / 25,
        agrees=wrong == 0,
    )


def _cut(cut_s: float, tier: str, shots: list[float]) -> Agreement:
    nearest = min(shots, key=lambda shot: abs(shot - cut_s), default=float("inf"))
    off_s = abs(nearest - cut_s)
    return Agreement(
        start_s=cut_s,
        end_s=cut_s,
        label="cut",
        tier=tier,
        expected="a boundary",
        found=f"boundary at {clock_text(nearest)}" if shots else "none",
        off_s=off_s,
        agrees=off_s <= TOLERANCE_S,
    )


def main() -> int:
    """Print the table and return the exit code, 0 if everything agrees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    rows = compare(parser.parse_args().dataset)
    cells = [
        [
            clock_text(row.start_s),
            clock_text(row.end_s),
            row.label,
            row.tier,
            row.expected,
            row.found,
            f"{row.off_s:.2f}",
            "yes" if row.agrees else "NO",
        ]
        for row in rows
    ]
    header = ["from", "to", "stretch", "tier", "truth", "found", "s off", "agrees"]
    print(text_table(header, cells, numeric=[True, True, False, False, False, False, True, False]))
    wrong = sum(not row.agrees for row in rows)
    print(f"\n{len(rows) - wrong} of {len(rows)} agree with {TRUTH.name}.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

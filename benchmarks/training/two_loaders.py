"""Does this checkout read training data faster than another one, and the same data?

Datasets of few and of many clips are made of DATASET; frame pairs and sequences are loaded by both checkouts in turn,
in processes of their own, on one core each. Rates are per second of processor time, on which other work on the machine
has less effect, the median of all turns. Prints a JSON line for each dataset and kind of sample.

- `per_s`, `other_per_s`: samples per second of processor time; `ratio` of these, the median of the ratios of the turns.
- `ms`, `other_ms`: the same as time of one sample.
- `opened_s`, `other_opened_s`: processor time until the first sample, once in a run.
- `peak_mib`, `other_peak_mib`: peak memory of the process.
- `equal`: whether both loaded the same bytes.

    python -m benchmarks.training.two_loaders DATASET OTHER_CHECKOUT [--clips 300 30000] [--samples 512] [--turns 3]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.checkout import ROOT
from benchmarks.training.repeated_clips import LATENTS_OF, linked_clips, spoken_clips

PROGRAM = Path(__file__).with_name("loader_rates.py")


def measured(checkout: Path, kind: str, dataset: Path, n_samples: int) -> dict[str, Any]:
    """Return the figures of a checkout's loader."""
    arguments = [kind, str(dataset), str(n_samples)]
    if kind == "sequences":
        arguments.append(str(dataset / "latents" / LATENTS_OF))
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(PROGRAM), *arguments]
    answer = subprocess.run(command, env=environment, cwd=checkout, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(answer.stdout)
    return figures


def compared(kind: str, dataset: Path, other: Path, n_samples: int, turns: int) -> dict[str, Any]:
    """Return the figures of both checkouts, which are measured in turn."""
    both = [
        {checkout: measured(checkout, kind, dataset, n_samples) for checkout in (ROOT, other)[:: 1 if turn % 2 else -1]}
        for turn in range(turns)
    ]
    line: dict[str, Any] = {"ratio": round(median(turn[ROOT]["per_s"] / turn[other]["per_s"] for turn in both), 2)}
    for name in ("per_s", "ms", "opened_s", "peak_mib"):
        line[name] = median(turn[ROOT][name] for turn in both)
        line[f"other_{name}"] = median(turn[other][name] for turn in both)
    line["equal"] = len({figures["sha256"] for turn in both for figures in turn.values()}) == 1
    return line


def main() -> None:
    """Make the datasets, measure, print JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--clips", type=int, nargs="+", default=[300, 30_000])
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    for n_clips in arguments.clips:
        for kind, make in (("pairs", linked_clips), ("sequences", spoken_clips)):
            # beside the dataset: links do not reach other file systems
            with tempfile.TemporaryDirectory(dir=arguments.dataset.resolve().parent) as folder:
                dataset = make(arguments.dataset, Path(folder, "dataset"), n_clips)
                figures = compared(kind, dataset, arguments.other, arguments.samples, arguments.turns)
            print(json.dumps({"clips": n_clips, "samples": kind, **figures}), flush=True)


if __name__ == "__main__":
    main()

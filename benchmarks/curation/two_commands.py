"""Do two commands at once leave a dataset as one after the other would, or is the second one refused?

    python -m benchmarks.curation.two_commands [--trials 100] [--pairs run:forget ...] [--s3] [--seed 1]

All pairs of run, retry, decide, forget, validate, stats and train begin on copies of one small dataset, on a local
folder or on an S3 server of this machine. They take turns at every access to it, in orders drawn from the seed. Right
is that the dataset equals that of one of the two orders; or that one command was refused with exit code 3, that the
dataset equals that of the other alone, and that the refused command given again leaves what it leaves after the
other. A training that had saved a checkpoint before it was refused is given again with `--accept-changes`, because
its clips are others now. `validate` and `stats` have to print what they print before or after the other command.
Prints one JSON line: the counts, and of each wrong trial its pair, seed and what was wrong.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.curation.command_pairs import COMMANDS, OTHER_DATA, READERS, Scene, Trial, make_bucket, make_scene
from benchmarks.curation.turns import Ended
from foundation.errors import EXIT_CANNOT_START, EXIT_USAGE

__all__ = ["Expected", "wrong_of"]


class Expected:
    """What the orders of two commands, and each of them alone, leave; each is run when it is first asked for."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._known: dict[tuple[str, ...], Trial] = {}

    def after(self, *commands: str) -> Trial:
        """Return the trial of commands one after the other."""
        if commands not in self._known:
            trial = self._scene.trial(commands, 0, at_once=False)
            for command, end in zip(commands, trial.ended, strict=True):
                if end.code is None:
                    raise TimeoutError(f"{command}, one after the other, did not end in time: {end.output[-600:]}")
            self._known[commands] = trial
        return self._known[commands]


def wrong_of(trial: Trial, pair: tuple[str, str], expected: Expected) -> str | None:
    """Return what is wrong with a trial of two commands at once; None if nothing is."""
    for command, end in zip(pair, trial.ended, strict=True):
        if end.code is None or end.code > EXIT_CANNOT_START or "Traceback" in end.output:
            return f"{command} ended with {end.code}: {end.output[-600:]}"
    refused = [end.code == EXIT_CANNOT_START for end in trial.ended]
    if all(refused):
        return "both were refused: " + " | ".join(end.output[-300:] for end in trial.ended)
    if trial.again is not None:
        done = refused.index(False)
        alone, order = expected.after(pair[done]), expected.after(pair[done], pair[1 - done])
        wrong = _differing_files("dataset", trial.dataset, alone.dataset)
        wrong = wrong or _differing_end(pair[done], trial.ended[done], alone.ended[0])
        wrong = wrong or _differing_files("dataset, given again,", trial.again.dataset, order.dataset)
        wrong = wrong or _differing_files("out, given again,", trial.again.out, order.out)
        last = trial.again.ended[0]
        if trial.accepted is not None and last.code == EXIT_USAGE and OTHER_DATA in last.output:
            last = trial.accepted.ended[0]
        return wrong or _differing_end(pair[1 - done], last, order.ended[1])
    reasons = []
    for first in (0, 1):
        order = expected.after(pair[first], pair[1 - first])
        wrong = _differing_files("dataset", trial.dataset, order.dataset)
        wrong = wrong or _differing_files("out", trial.out, order.out)
        wrong = wrong or _differing_end(pair[first], trial.ended[first], order.ended[0])
        wrong = wrong or _differing_end(pair[1 - first], trial.ended[1 - first], order.ended[1])
        if wrong is None:
            return None
        reasons.append(wrong)
    return " | ".join(reasons)


def _differing_files(what: str, files: Mapping[str, object], expected: Mapping[str, object]) -> str | None:
    names = sorted(name for name in files.keys() | expected.keys() if files.get(name) != expected.get(name))
    return f"{what} differs in {len(names)} files, such as {names[0]}" if names else None


def _differing_end(command: str, end: Ended, expected: Ended) -> str | None:
    if end.code != expected.code:
        return f"{command} ended with {end.code}, not {expected.code}: {end.output[-300:]}"
    if command in READERS and _told(end.output) != _told(expected.output):
        return f"{command} printed {end.output[-300:]}"
    return None


def _told(output: str) -> list[str]:
    """Return the lines that do not depend on the folder of the trial."""
    return [line for line in output.splitlines() if "trial-" not in line]


@contextmanager
def _store() -> Iterator[str]:
    """Run an S3 server on this machine, and yield an address in it."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    program = f"from benchmarks.curation.s3_server import serve; serve({port})"
    server = subprocess.Popen([sys.executable, "-c", program])
    try:
        make_bucket("pairs")
        yield "s3://pairs"
    finally:
        server.kill()
        server.wait()


@contextmanager
def _local() -> Iterator[None]:
    yield None


def main() -> None:
    """Run the trials and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--pairs", nargs="*", metavar="ONE:OTHER", help="default: all")
    parser.add_argument("--s3", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    pairs = [tuple(pair.split(":")) for pair in arguments.pairs or ()]
    pairs = pairs or list(itertools.combinations_with_replacement(COMMANDS, 2))
    counts: Counter[str] = Counter()
    wrong = []
    begin_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _store() if arguments.s3 else _local() as store:
        scene = make_scene(Path(folder), store)
        expected = Expected(scene)
        for one, other in pairs:
            for number in range(arguments.trials):
                seed = arguments.seed * 1_000_003 + number
                trial = scene.trial((one, other), seed, at_once=True)
                reason = wrong_of(trial, (one, other), expected)
                refused = sum(end.code == EXIT_CANNOT_START for end in trial.ended)
                counts["wrong" if reason else "one refused" if refused else "as one after the other"] += 1
                if reason:
                    wrong.append({"pair": f"{one}:{other}", "seed": seed, "reason": reason})
                    print(wrong[-1], file=sys.stderr)
            print(one, other, dict(counts), round(time.monotonic() - begin_s), file=sys.stderr)
    print(
        json.dumps(
            {
                "store": "s3" if arguments.s3 else "local",
                "pairs": len(pairs),
                "trials": sum(counts.values()),
                **counts,
                "seconds": round(time.monotonic() - begin_s),
                "wrong_trials": wrong,
            }
        )
    )


if __name__ == "__main__":
    main()

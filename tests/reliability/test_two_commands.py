"""Every pair of commands on one dataset at once, on a local folder and on a store."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.curation.turns import in_turns

ON_A_STORE = ("run:forget", "run:stats", "run:train", "decide:forget", "forget:forget", "forget:train")
"""Pairs of which one packs or removes what the other reads or writes; all 28 take a quarter of an hour on a store."""


def reader(folder: Path, name: str) -> Callable[[], None]:
    """Return a function that opens a file five times, and each time appends its own name to the list of all."""

    def work() -> None:
        for _ in range(5):
            with (folder / "order").open("a") as order:
                order.write(name)

    return work


def order_of(folder: Path, seed: int) -> str:
    (folder / "order").unlink(missing_ok=True)
    ended = in_turns([reader(folder, "a"), reader(folder, "b")], folder, random.Random(seed))  # noqa: S311 - repeatable
    assert [(end.code, end.output) for end in ended] == [(0, ""), (0, "")]
    assert [end.turns for end in ended] == [6, 6]  # one to begin, one each opening
    return (folder / "order").read_text()


def test_processes_take_turns_in_an_order_that_the_seed_repeats(tmp_path: Path) -> None:
    orders = [order_of(tmp_path, seed) for seed in range(8)]
    assert [order_of(tmp_path, seed) for seed in range(8)] == orders
    assert {"".join(sorted(order)) for order in orders} == {"aaaaabbbbb"}
    assert len(set(orders)) > 4


def test_a_process_that_does_not_end_is_killed_and_told_apart(tmp_path: Path) -> None:
    def endless() -> None:
        while True:
            pass

    def failing() -> None:
        raise SystemExit(3)

    ended = in_turns([endless, failing], tmp_path, random.Random(1), patience_s=1.0)  # noqa: S311 - repeatable
    assert [end.code for end in ended] in ([None, 3], [None, None])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "n_trials"),
    [(["--trials", "1"], 28), (["--trials", "1", "--s3", "--pairs", *ON_A_STORE], len(ON_A_STORE))],
    ids=["local", "s3"],
)
def test_two_commands_at_once_leave_what_one_after_the_other_leaves(
    arguments: list[str], n_trials: int, repository: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.curation.two_commands", *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["wrong_trials"] == []
    assert report["trials"] == n_trials
    assert report.get("one refused", 0) + report.get("as one after the other", 0) == n_trials

"""Answers of processes that measure, so that one that fails ends the benchmark and does not leave it waiting."""

import multiprocessing.process
import queue
from collections.abc import Sequence
from typing import Any


def answers(processes: Sequence[multiprocessing.process.BaseProcess], results: "multiprocessing.Queue") -> list[Any]:
    """Start processes and return what they put into a queue, one answer each, once all have ended.

    Raises:
        SystemExit: one ended without an answer; what was wrong it has said itself.
    """
    for process in processes:
        process.daemon = True
        process.start()
    got: list[Any] = []
    while len(got) < len(processes):
        try:
            got.append(results.get(timeout=1.0))
        except queue.Empty:
            failed = [process.exitcode for process in processes if process.exitcode]
            if failed:
                raise SystemExit(f"a process that measures ended with exit code {failed[0]}") from None
    for process in processes:
        process.join()
    return got

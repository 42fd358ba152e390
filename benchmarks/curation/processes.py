"""Results of measuring processes; one that fails ends the benchmark instead of leaving it waiting."""

import multiprocessing.process
import multiprocessing.queues
import queue
from collections.abc import Sequence
from typing import TypeVar

ResultT = TypeVar("ResultT")


def results_of(
    processes: Sequence[multiprocessing.process.BaseProcess], results: "multiprocessing.queues.Queue[ResultT]"
) -> list[ResultT]:
    """Start processes and return the results that they put into a queue, one each, once all have ended.

    Raises:
        SystemExit: one ended without a result; its own message is on standard error.
    """
    for process in processes:
        process.daemon = True
        process.start()
    got: list[ResultT] = []
    while len(got) < len(processes):
        try:
            got.append(results.get(timeout=1.0))
        except queue.Empty:
            failed = [process.exitcode for process in processes if process.exitcode]
            if failed:
                raise SystemExit(f"a measuring process ended with exit code {failed[0]}") from None
    for process in processes:
        process.join()
    return got

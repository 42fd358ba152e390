"""How fast are the main parts of curation and training on this machine?

    python -m benchmarks.speed [--only help,analysis,embedded,paper,loader,training]

Measures the start of `gaia-curate --help`, the analyse pass against a straightforward loop, `gaia-curate run` with each
preset, the loaders of training data and the optimiser steps of the networks of size `tiny`, all with the sample video,
in a few minutes. Prints a JSON line for the machine, one for each result as soon as it exists, and last a table of all
results. Measurements whose weights are missing are left out, and the table says so. Exit code 1 if a measurement fails.
"""

import argparse
import functools
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkout import ROOT, SAMPLE, SAMPLES
from benchmarks.curation.run_command import GAIA_CURATE, curate_command
from benchmarks.speed_report import (
    PER_CORE,
    Result,
    analysis_results,
    curation_result,
    help_result,
    json_line,
    loader_results,
    not_measured,
    results_table,
    training_result,
)

ANALYSED_S = 12.0
"""Length of the beginning of the sample that the analyse pass and the loop go over: one good shot and its end."""

HELP_STARTS = 5

TRAINED = {"vae_plain:tiny": 4, "diffusion:tiny": 8}
"""Networks and the batches of their experiments of size `tiny`."""

TRAINING_STEPS = 10


class MeasurementError(Exception):
    """A command that is measured failed; the message has its last line."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A measurement that `--only` names."""

    name: str
    results: Callable[[], Sequence[Result]]
    unit: str
    """Of the result, if it fails."""


def output_of(command: Sequence[str]) -> str:
    """Run a command at the root of the checkout and return its standard output.

    Raises:
        MeasurementError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MeasurementError(f"exit code {done.returncode}: {last}")
    return done.stdout


def help_results() -> list[Result]:
    """Start the command several times; the first start, which may compile bytecode, does not count."""
    spent_s = []
    for _ in range(HELP_STARTS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output_of([GAIA_CURATE, "--help"])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return [help_result(spent_s[1:])]


def analysis() -> list[Result]:
    """Run the analyse pass and the straightforward loop over the beginning of the sample, each in its own process."""
    from benchmarks.curation.analyze import ours, timed
    from benchmarks.curation.straightforward_loops import dlib_loop, every_frame
    from curation.media.probe import probe
    from curation.perception.models import perception_assets
    from curation.settings import PRESETS
    from foundation.weights import ensure_assets, missing_assets
    from manifests.timeline import TICK_RATE_HZ

    settings = PRESETS["embedded"].perception
    ensure_assets(perception_assets(settings))
    info = probe(SAMPLE)
    clips = [(info, int(ANALYSED_S * TICK_RATE_HZ))]
    frames = sum(1 for _ in every_frame(*clips[0]))
    analysis_s = sum(timed(functools.partial(ours, settings), clips, 1).cpu_s)
    can_loop = not missing_assets(["dlib_shape_predictor_68"])
    loop_s = sum(timed(dlib_loop, clips, 1).cpu_s) if can_loop else None
    return analysis_results(frames, analysis_s, loop_s)


def curation(preset: str, dataset: Path) -> list[Result]:
    """Curate the sample with a preset, unless its weights are missing."""
    from curation.media.probe import probe
    from curation.perception.models import perception_assets
    from curation.settings import PRESETS
    from curation.speech.models import speech_assets
    from foundation.weights import missing_assets

    settings = PRESETS["embedded" if preset == "embedded" else "paper"]
    if missing_assets([*perception_assets(settings.perception), *speech_assets(settings.speech)]):
        reason = f"needs `gaia-curate models pull {preset}`"
        return [not_measured(f"gaia-curate run, {preset}", "times real time", reason, failed=False)]
    begin_s = time.perf_counter()
    output_of(curate_command(SAMPLES, dataset, preset=preset))
    return [curation_result(preset, probe(SAMPLE).duration_s, time.perf_counter() - begin_s)]


def loader(dataset: Path) -> list[Result]:
    """Read training data from the clips of the sample.

    Raises:
        MeasurementError: the sample was not curated, or reading failed.
    """
    if not (dataset / "dataset.json").exists():
        output_of(curate_command(SAMPLES, dataset, preset="embedded"))
    command = [sys.executable, "-m", "benchmarks.training.loader", str(dataset), "--clips", "60", "--pairs", "128"]
    return loader_results(json.loads(output_of(command).splitlines()[-1]))


def training() -> list[Result]:
    """Take optimiser steps of the networks of size `tiny` on random numbers, each in its own process.

    Raises:
        MeasurementError: a network does not train.
    """
    from benchmarks.training.steps import Case, in_process

    results = []
    for network, batch in TRAINED.items():
        report = in_process(Case(network=network, variant="plain", batch=batch, steps=TRAINING_STEPS))
        if not isinstance(report.get("per_second"), float):
            raise MeasurementError(f"{network}: {report.get('error')}")
        results.append(training_result(network, batch, float(str(report["per_second"]))))
    return results


def benchmarks(folder: Path) -> list[Benchmark]:
    """Return all measurements in their order.

    Args:
        folder: where the datasets go that they make.
    """
    embedded, paper = folder / "embedded", folder / "paper"
    return [
        Benchmark("help", help_results, "s of one core"),
        Benchmark("analysis", analysis, PER_CORE),
        Benchmark("embedded", functools.partial(curation, "embedded", embedded), "times real time"),
        Benchmark("paper", functools.partial(curation, "paper", paper), "times real time"),
        Benchmark("loader", functools.partial(loader, embedded), PER_CORE),
        Benchmark("training", training, "steps per s"),
    ]


def measured(chosen: Sequence[Benchmark]) -> Iterator[Result]:
    """Yield results as they come; a measurement that fails gives one that says why."""
    for benchmark in chosen:
        try:
            yield from benchmark.results()
        except (MeasurementError, SystemExit) as error:
            yield not_measured(benchmark.name, benchmark.unit, str(error), failed=True)


def machine() -> dict[str, object]:
    """Return what a result has to state of the machine and the software."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processors = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": processors[0] if processors else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "software_version": importlib.metadata.version("gaia-avatar"),
    }


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of measurements, separated by commas; by default all")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        known = benchmarks(Path(folder))
        names = only.split(",") if only else [benchmark.name for benchmark in known]
        unknown = set(names) - {benchmark.name for benchmark in known}
        if unknown:
            parser.error(f"--only {only}: there is no measurement {', '.join(sorted(unknown))}")
        print(json.dumps(machine()), flush=True)
        results = []
        for result in measured([benchmark for benchmark in known if benchmark.name in names]):
            results.append(result)
            print(json_line(result), flush=True)
    print(f"\n{results_table(results)}")
    return int(any(result.failed for result in results))


if __name__ == "__main__":
    sys.exit(main())

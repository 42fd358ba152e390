import json
import subprocess
import sys
from pathlib import Path

from benchmarks.speed import Benchmark, MeasurementError, measured, output_of
from benchmarks.speed_report import Result


def test_a_failed_command_names_its_exit_code_and_last_line() -> None:
    program = "import sys; print('first\\nlast', file=sys.stderr); sys.exit(3)"
    result = Result(name="after", value=1.0, unit="s")
    benchmarks = [
        Benchmark(
            "broken", lambda: [Result(name="x", value=0.0, unit=output_of([sys.executable, "-c", program]))], "s"
        ),
        Benchmark("after", lambda: [result], "s"),
    ]
    broken, after = measured(benchmarks)
    assert broken.failed
    assert broken.value is None
    assert (broken.name, broken.note) == ("broken", "exit code 3: last")
    assert after == result


def test_a_measurement_that_raises_does_not_end_the_others() -> None:
    def fails() -> list[Result]:
        raise MeasurementError("no such network")

    (result,) = measured([Benchmark("training", fails, "steps per s")])
    assert result.failed
    assert result.note == "no such network"


def test_the_start_of_the_command_alone_is_measured_and_printed(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed", "--only", "help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=repository,
    )
    assert done.returncode == 0, done.stderr
    machine, result, *table = done.stdout.splitlines()
    assert json.loads(machine)["cores"] >= 1
    assert json.loads(result)["value"] > 0
    assert [line.split("  ")[0] for line in table if line][2] == "gaia-curate --help"

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from training.cli.app import app
from training.experiments.parameters import WAV2VEC2_BASE_PARAMETERS, parameter_rows

PINNED_M = {
    ("VAE", "small"): (78.04, 78.04, 80.0),
    ("VAE", "base"): (726.1, 726.1, 700.0),
    ("VAE", "large"): (1753.5, 1753.5, 1700.0),
    ("discriminator", "patch"): (2.77, 2.77, None),
    ("motion diffusion", "small"): (89.39, 183.8, 180.0),
    ("motion diffusion", "base"): (503.6, 597.9, 600.0),
    ("motion diffusion", "large"): (1060.7, 1155.1, 1200.0),
}


def test_every_size_has_the_parameters_of_the_paper() -> None:
    rows = {(row.network, row.size): row for row in parameter_rows()}
    for key, (trainable, total, paper) in PINNED_M.items():
        row = rows[key]
        assert row.trainable / 1e6 == pytest.approx(trainable, rel=0.005), key
        assert row.total / 1e6 == pytest.approx(total, rel=0.005), key
        assert row.paper == (None if paper is None else pytest.approx(paper * 1e6)), key
        if row.difference is not None and paper is not None:
            assert row.difference == pytest.approx(row.total / (paper * 1e6) - 1.0)
            assert abs(row.difference) < 0.04, key


def test_what_a_cpu_trains_is_about_a_million_parameters() -> None:
    assert {row.size: row for row in parameter_rows() if row.network == "VAE"}["tiny"].trainable < 1.5e6


def test_the_frozen_extractor_is_counted_in_the_total_alone() -> None:
    for row in parameter_rows():
        assert row.total - row.trainable == (WAV2VEC2_BASE_PARAMETERS if row.network == "motion diffusion" else 0)


def test_the_command_prints_a_table_and_json() -> None:
    table = CliRunner().invoke(app, ["params"])
    assert table.exit_code == 0
    (line,) = (line.split() for line in table.output.splitlines() if line.startswith("motion diffusion  small"))
    assert line == ["motion", "diffusion", "small", "89.39M", "183.76M", "180M", "+2.1%"]
    printed = json.loads(CliRunner().invoke(app, ["params", "--json"]).output)
    assert len(printed) == len(table.output.splitlines()) - 1
    assert {row["network"] for row in printed} == {"VAE", "discriminator", "motion diffusion"}


def test_help_loads_no_torch() -> None:
    program = (
        "import sys, training.cli.app as cli; cli.app(['--help'], standalone_mode=False); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "params" in done.stdout

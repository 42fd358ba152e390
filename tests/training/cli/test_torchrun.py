"""`gaia-train` under torchrun, with the command line that the guide prints."""

import json
import re
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from torch.distributed.run import get_args_parser
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from training.cli.app import app

SMALL = (
    *("model.width=4", "model.multipliers=[1, 1, 1]", "model.groups=2", "model.image_px=32"),
    *("train.batch=4", "train.micro_batch=2", "train.steps=2", "check_pairs=0"),
)

NO_LONGER_DOCUMENTED = {"--run"}
"""Earlier names, kept for command lines without torchrun."""


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [{"video": name, "n_frames": n} for name, n in (("a", 80), ("b", 90))]
    return make_clips(tmp_path_factory.mktemp("data") / "dataset", *clips)


def _options(command: TyperCommand | TyperGroup) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for part in command.commands.values():
            yield from _options(part)
    for option in command.params:
        yield from (name for name in (*option.opts, *option.secondary_opts) if name.startswith("-"))


def test_torchrun_takes_no_option_of_ours_for_one_of_its_own() -> None:
    # argparse takes a word for every option that it is the beginning of, before it looks for the program
    theirs = [name for action in get_args_parser()._actions for name in action.option_strings]
    ours = set(_options(typer.main.get_group(app))) - {"--help"} - NO_LONGER_DOCUMENTED
    assert ours >= {"--out", "--vae", "--set", "--dry-run"}
    assert {name: [one for one in theirs if one.startswith(name)] for name in sorted(ours)} == {
        name: [] for name in sorted(ours)
    }


@pytest.mark.parametrize("name", ["--out", "--run"])
def test_without_torchrun_both_names_of_the_run_folder_are_taken(name: str, dataset: Path, tmp_path: Path) -> None:
    small = [part for setting in SMALL for part in ("--set", setting)]
    command = ["vae", str(dataset), name, str(tmp_path / "run"), "--size", "tiny", "--dry-run", *small]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def _documented_line(repository: Path) -> list[str]:
    page = (repository / "docs" / "guides" / "train.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^torchrun --(?:.*\\\n)*.*", page, re.MULTILINE)
    return shlex.split(line.replace("\\\n", " "))


def _command(repository: Path, dataset: Path, run: Path, *, nodes: int, processes: int, port: int) -> list[str]:
    words = _documented_line(repository)
    changes = {"--nnodes": nodes, "--nproc-per-node": processes, "--rdzv-endpoint": f"localhost:{port}", "--out": run}
    for option, value in changes.items():
        words[words.index(option) + 1] = str(value)
    words[words.index("gaia-train") + 2] = str(dataset)
    words[words.index("--size") + 1] = "tiny"
    return [*words, "--device", "cpu", *(part for setting in SMALL for part in ("--set", setting))]


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "processes"), [(1, 2), (2, 1)])
def test_the_line_of_the_guide_trains_on_one_machine_and_on_several(
    nodes: int, processes: int, repository: Path, dataset: Path, tmp_path: Path, command_environment: dict[str, str]
) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = _command(repository, dataset, tmp_path / "run", nodes=nodes, processes=processes, port=port)
    environment = command_environment | {"OMP_NUM_THREADS": "1"}
    machines = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(nodes)
    ]
    said = [machine.communicate(timeout=300)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0] * nodes, "\n".join(said)
    assert sum(f"{tmp_path / 'run'}: 2 of 2 steps are done" in text for text in said) == 1
    # a batch of 4 in one pass of 2 on each of two ranks: a process that was alone would have taken two passes
    assert (tmp_path / "run" / "latest").read_text().strip() == "step_00000002"
    assert len(list((tmp_path / "run" / "step_00000002" / "shards").glob("*.safetensors"))) == 2
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 2

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors
import torch
from helpers import small_vae, toy_task
from helpers.small_vae import SMALL_VAE, train_small_vae
from helpers.toy_task import ToyConfig, ToyTask, train_toy
from torch import Tensor

from foundation.settings import overlaid
from models.run_folder import RunFolder

TOY, SMALL = (Path(str(module.__file__)) for module in (toy_task, small_vae))


def toy_config(**settings: object) -> ToyConfig:
    train = {name: settings.pop(name) for name in list(settings) if name in ToyConfig().train.__slots__}
    return overlaid(ToyConfig(), {**settings, "train": train}, "test")


def tensors_of(run: Path) -> dict[str, Tensor]:
    """Read all of the newest checkpoint, without the code under test."""
    folder = run / (run / "latest").read_text().strip() / "shards"
    pieces: defaultdict[str, dict[int, Tensor]] = defaultdict(dict)
    for file in folder.glob("*.safetensors"):
        with safetensors.safe_open(file, framework="pt") as opened:
            first_rows = json.loads(opened.metadata()["first_rows"])
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                pieces[name][first_rows.get(name, 0)] = opened.get_tensor(name)
    shapes = json.loads((folder / "index.json").read_text())["tensors"]
    assert pieces.keys() == shapes.keys()
    found = {}
    for name, parts in pieces.items():
        ordered = [parts[row] for row in sorted(parts)]
        found[name] = torch.cat(ordered) if len(ordered) > 1 else ordered[0]
        assert list(found[name].shape) == shapes[name]["shape"]
    return found


def state_of(run: Path) -> object:
    return json.loads((run / (run / "latest").read_text().strip() / "state.json").read_text())


def weights_of(run: Path) -> dict[str, Tensor]:
    """Networks and averages; moments are left out, for squares of gradients of sums over pixels are huge."""
    return {name: tensor for name, tensor in tensors_of(run).items() if not name.startswith("optimiser")}


def furthest(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max((ours[name].double() - theirs[name].double()).abs().max().item() for name in ours)


def run_toy(
    run: Path, *settings: str, ranks: int = 1, die_after: int | None = None
) -> subprocess.CompletedProcess[str]:
    return _run_script(TOY, run, *settings, ranks=ranks, die_after=die_after)


def run_vae(
    run: Path, dataset: Path, *settings: str, ranks: int = 1, die_after: int | None = None
) -> subprocess.CompletedProcess[str]:
    return _run_script(SMALL, run, str(dataset), *settings, ranks=ranks, die_after=die_after)


def script_environment() -> dict[str, str]:
    """Return this process's environment, in which a script can import the package `helpers` as well."""
    paths = [str(SMALL.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _run_script(
    script: Path, run: Path, *settings: str, ranks: int, die_after: int | None
) -> subprocess.CompletedProcess[str]:
    start = [sys.executable]
    if ranks > 1:
        start += ["-m", "torch.distributed.run", f"--nproc-per-node={ranks}", "--rdzv-backend=c10d"]
        start += ["--rdzv-endpoint=localhost:0"]
    environment = {**script_environment(), "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    if die_after is not None:
        environment["DIE_AFTER"] = str(die_after)
    command = [*start, str(script), str(run), *settings]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Ten steps without a break, by settings."""
    made: dict[str, Path] = {}

    def make(**settings: object) -> Path:
        name = repr(settings)
        if name not in made:
            made[name] = tmp_path_factory.mktemp("straight") / "run"
            train_toy(made[name], toy_config(**settings))
        return made[name]

    return make


def test_run_in_two_parts_is_the_run_in_one_to_the_last_bit(straight: Callable[..., Path], tmp_path: Path) -> None:
    train_toy(tmp_path / "run", toy_config(steps=5, dropout=0.2))
    train_toy(tmp_path / "run", toy_config(steps=10, dropout=0.2))
    whole = straight(dropout=0.2)
    tensors = tensors_of(whole)
    assert furthest(tensors, tensors_of(tmp_path / "run")) == 0.0
    assert state_of(whole) == state_of(tmp_path / "run")
    # and there is something to be equal: weights, both moments of both networks, averages, a buffer
    assert {name.split(".")[0] for name in tensors} == {"network", "optimiser", "average"}
    assert "optimiser.critic.weight.exp_avg_sq" in tensors
    assert tensors["optimiser.network.last.weight.step"] == 10
    assert tensors["optimiser.critic.weight.step"] == 7  # it learns from the fourth step on
    assert tensors["network.network.measured"] == 3


def test_run_goes_on_where_a_network_had_not_begun_to_learn(straight: Callable[..., Path], tmp_path: Path) -> None:
    train_toy(tmp_path / "run", toy_config(steps=2))
    assert "optimiser.critic.weight.exp_avg" not in tensors_of(tmp_path / "run")
    train_toy(tmp_path / "run", toy_config(steps=10))
    assert furthest(tensors_of(straight()), tensors_of(tmp_path / "run")) == 0.0


def test_log_of_a_killed_and_resumed_run_has_each_step_once(straight: Callable[..., Path], tmp_path: Path) -> None:
    def lines(run: Path) -> list[dict[str, float]]:
        read = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "sequences_per_second"} for line in read]

    run = tmp_path / "run"
    train_toy(run, toy_config(steps=5))
    with (run / "metrics.jsonl").open("a") as log:  # what was done after the checkpoint, and half a line
        log.write('{"step": 6, "loss": 77.0}\n{"step": 7, "lo')
    train_toy(run, toy_config(steps=10))
    assert [line["step"] for line in lines(run)] == list(range(1, 11))
    assert lines(run) == lines(straight())


@pytest.mark.parametrize("passes", [2, 4])
def test_accumulated_passes_of_ragged_sequences_give_the_step_of_one_pass(
    straight: Callable[..., Path], tmp_path: Path, passes: int
) -> None:
    train_toy(tmp_path / "run", toy_config(micro_batch=4 // passes))
    assert furthest(tensors_of(straight()), tensors_of(tmp_path / "run")) < 1e-6


def test_networks_that_forget_activations_learn_the_same(straight: Callable[..., Path], tmp_path: Path) -> None:
    for kind in ("block", "selective"):
        train_toy(tmp_path / kind, toy_config(activation_checkpointing=kind, dropout=0.2))
        assert furthest(tensors_of(straight(dropout=0.2)), tensors_of(tmp_path / kind)) == 0.0


@pytest.mark.slow
def test_killed_run_goes_on_to_the_last_bit_of_a_straight_one(straight: Callable[..., Path], tmp_path: Path) -> None:
    killed = run_toy(tmp_path / "run", "dropout=0.2", "train.workers=1", die_after=7)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (tmp_path / "run" / "latest").read_text() == "step_00000005\n"
    done = run_toy(tmp_path / "run", "dropout=0.2", "train.workers=2")
    assert done.returncode == 0, done.stderr
    assert furthest(tensors_of(straight(dropout=0.2)), tensors_of(tmp_path / "run")) == 0.0
    assert state_of(straight(dropout=0.2)) == state_of(tmp_path / "run")


TWO = ("train.micro_batch=2", "train.ranks_per_copy=2")
"""Settings of two ranks that hold one copy together."""


@pytest.fixture(scope="module")
def toy_of_two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten steps of two ranks without a break; read it, never write to it."""
    run = tmp_path_factory.mktemp("two_ranks") / "run"
    whole = run_toy(run, *TWO, ranks=2)
    assert whole.returncode == 0, whole.stderr
    return run


@pytest.mark.slow
def test_two_ranks_that_are_killed_go_on_to_the_last_bit_and_end_on_one(
    straight: Callable[..., Path], toy_of_two_ranks: Path, tmp_path: Path
) -> None:
    killed = run_toy(tmp_path / "run", *TWO, ranks=2, die_after=7)
    assert killed.returncode != 0
    assert "SIGKILL" in killed.stderr, killed.stderr
    assert (tmp_path / "run" / "latest").read_text() == "step_00000005\n"
    (tmp_path / "alone").mkdir()
    for file in (tmp_path / "run").rglob("*"):  # a copy, to go on with on one rank
        there = tmp_path / "alone" / file.relative_to(tmp_path / "run")
        there.mkdir() if file.is_dir() else there.write_bytes(file.read_bytes())
    done = run_toy(tmp_path / "run", *TWO, ranks=2)
    assert done.returncode == 0, done.stderr
    assert furthest(tensors_of(toy_of_two_ranks), tensors_of(tmp_path / "run")) == 0.0
    train_toy(tmp_path / "alone", toy_config())
    assert furthest(tensors_of(toy_of_two_ranks), tensors_of(tmp_path / "alone")) < 1e-6
    assert furthest(tensors_of(toy_of_two_ranks), tensors_of(straight())) < 1e-6


@pytest.mark.slow
def test_two_ranks_go_on_together_where_the_shard_of_one_is_damaged(
    straight: Callable[..., Path], toy_of_two_ranks: Path, tmp_path: Path
) -> None:
    shutil.copytree(toy_of_two_ranks, tmp_path / "run")
    shard = tmp_path / "run" / "step_00000010" / "shards" / "rank_0001.safetensors"
    content = shard.read_bytes()  # its digest is looked at by the second rank alone
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = run_toy(tmp_path / "run", *TWO, ranks=2)
    assert again.returncode == 0, again.stderr
    assert "another process found it damaged" in " ".join(again.stderr.split())
    assert "the run goes on from step_00000005" in " ".join(again.stderr.split())
    assert furthest(tensors_of(tmp_path / "run"), tensors_of(straight())) < 1e-6


@pytest.mark.slow
def test_copies_on_two_ranks_learn_what_one_rank_does(straight: Callable[..., Path], tmp_path: Path) -> None:
    done = run_toy(tmp_path / "run", "train.micro_batch=1", ranks=2)  # two passes on each
    assert done.returncode == 0, done.stderr
    assert furthest(tensors_of(straight()), tensors_of(tmp_path / "run")) < 1e-6


@pytest.mark.slow
def test_run_that_is_asked_to_end_saves_and_ends_with_0(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, str(TOY), str(run), "train.steps=1000000", "train.checkpoint_every=1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=script_environment()) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first step's line
        process.send_signal(signal.SIGTERM)
        assert "the same command resumes the run" in process.stderr.read()
        assert process.wait(timeout=60) == 0
    step = int((run / "latest").read_text().strip().removeprefix("step_"))
    train_toy(run, toy_config(steps=step + 1))
    train_toy(tmp_path / "whole", toy_config(steps=step + 1))
    assert furthest(tensors_of(tmp_path / "whole"), tensors_of(run)) == 0.0


@pytest.fixture(scope="module")
def faces(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset for the VAE."""
    clips = ({"video": name, "n_frames": 75} for name in "abc")
    return make_clips(tmp_path_factory.mktemp("faces") / "dataset", *clips)


@pytest.fixture(scope="module")
def straight_vae(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten steps of a VAE without a break; seven of them have a GAN."""
    run = tmp_path_factory.mktemp("straight_vae") / "run"
    train_small_vae(run, faces)
    return run


def test_vae_in_two_parts_is_the_vae_in_one_to_the_last_bit(straight_vae: Path, faces: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_small_vae(run, faces, replace(SMALL_VAE, train=replace(SMALL_VAE.train, steps=5)))
    train_small_vae(run, faces)
    tensors = tensors_of(straight_vae)
    assert furthest(tensors, tensors_of(run)) == 0.0
    assert state_of(straight_vae) == state_of(run)
    # both networks, both optimisers, the average of the one that is exported
    last = "decoder.image.weight"
    assert {f"network.vae.{last}", f"optimiser.vae.{last}.exp_avg_sq", f"average.vae.{last}"} <= tensors.keys()
    assert tensors[f"optimiser.vae.{last}.step"] == 10
    assert tensors["optimiser.discriminator.layers.0.weight.step"] == 7
    assert not any(name.startswith("average.discriminator") for name in tensors)


@pytest.mark.slow
def test_killed_vae_goes_on_to_the_last_bit_of_a_straight_one(straight_vae: Path, faces: Path, tmp_path: Path) -> None:
    killed = run_vae(tmp_path / "run", faces, die_after=7)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (tmp_path / "run" / "latest").read_text() == "step_00000005\n"
    done = run_vae(tmp_path / "run", faces, "train.workers=1")
    assert done.returncode == 0, done.stderr
    assert furthest(tensors_of(straight_vae), tensors_of(tmp_path / "run")) == 0.0
    assert state_of(straight_vae) == state_of(tmp_path / "run")


@pytest.mark.slow
def test_vae_on_two_ranks_goes_on_to_the_last_bit_and_ends_on_one(
    straight_vae: Path, faces: Path, tmp_path: Path
) -> None:
    whole = run_vae(tmp_path / "whole", faces, *TWO, ranks=2)
    assert whole.returncode == 0, whole.stderr
    killed = run_vae(tmp_path / "run", faces, *TWO, ranks=2, die_after=7)
    assert killed.returncode != 0
    assert (tmp_path / "run" / "latest").read_text() == "step_00000005\n"
    shutil.copytree(tmp_path / "run", tmp_path / "alone")
    done = run_vae(tmp_path / "run", faces, *TWO, ranks=2)
    assert done.returncode == 0, done.stderr
    assert furthest(tensors_of(tmp_path / "whole"), tensors_of(tmp_path / "run")) == 0.0
    train_small_vae(tmp_path / "alone", faces)
    expected = weights_of(tmp_path / "whole")
    assert furthest(expected, weights_of(tmp_path / "alone")) < 1e-6
    assert furthest(expected, weights_of(straight_vae)) < 1e-5  # a step with Adam moves each weight by 1e-3


@pytest.mark.slow
def test_vae_that_is_asked_to_end_saves_and_ends_with_0(faces: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [
        sys.executable,
        str(SMALL),
        str(run),
        str(faces),
        "train.steps=1000000",
        "train.checkpoint_every=1000000",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=script_environment()) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first step's line
        process.send_signal(signal.SIGTERM)
        assert "the same command resumes the run" in process.stderr.read()
        assert process.wait(timeout=60) == 0
    step = int((run / "latest").read_text().strip().removeprefix("step_"))
    assert 1 <= step < 1000
    assert RunFolder(run).weights().is_file()


def test_export_is_the_average_and_reads_without_the_trainer(straight: Callable[..., Path]) -> None:
    import safetensors.torch

    run = straight()
    saved = tensors_of(run)
    for which, kind in (("ema", "average"), ("raw", "network")):
        exported = safetensors.torch.load_file(RunFolder(run).weights(which))
        assert exported.keys() == ToyTask(toy_config()).network.state_dict().keys()
        assert torch.equal(exported["last.weight"], saved[f"{kind}.network.last.weight"])
        assert torch.equal(exported["measured"], saved["network.network.measured"])
    assert not torch.equal(saved["average.network.last.weight"], saved["network.network.last.weight"])

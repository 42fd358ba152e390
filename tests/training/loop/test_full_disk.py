"""A disk that fills up in the middle of a training run: exit code 3, a sentence, and what was written before stays."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
import typer
from helpers.pickled_checkpoints import tensors_in
from helpers.small_disk import fill_up
from helpers.toy_task import ToyConfig, ToyTask, train_toy
from torch import Tensor

from foundation.errors import EXIT_CANNOT_START
from foundation.settings import overlaid
from models import weights
from models.run_folder import RunFolder
from training.cli.options import exit_codes
from training.loop.parallel import Ranks
from training.loop.resuming import load_checkpoint
from training.loop.session import Session
from training.shards import writing

CPU = Ranks(device=torch.device("cpu"))


def _config(**train: object) -> ToyConfig:
    return overlaid(ToyConfig(), {"train": train}, "test")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("straight") / "run"
    train_toy(run, ToyConfig())
    return run


def _assert_whole(checkpoint: Path) -> None:
    load_checkpoint(checkpoint, Session(ToyTask(ToyConfig()), ToyConfig().train, CPU).state, CPU)


def _train_to_the_end_of_the_disk(run: Path, config: ToyConfig, capsys: pytest.CaptureFixture[str]) -> bool:
    """Return whether the disk was full, and check that this ended the command as it should."""
    code = 0
    try:
        with exit_codes():
            train_toy(run, config)
    except typer.Exit as ended:
        code = ended.exit_code
    if code == 0:
        return False
    assert code == EXIT_CANNOT_START
    *lines, said = capsys.readouterr().err.splitlines()
    assert not any("Traceback" in line for line in lines)
    assert said.startswith("gaia-train: the disk is full: [Errno 28] No space left on device")
    assert said.endswith("make room and give the command again: what was written stays, the same command resumes")
    return True


def _same(ours: Path, theirs: Path) -> bool:
    one, other = tensors_in(ours / "step_00000010"), tensors_in(theirs / "step_00000010")
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("module", [writing, weights], ids=["shards", "export"])
def test_a_disk_that_is_full_in_a_checkpoint_leaves_the_earlier_ones(
    module: object, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train_toy(run, _config(steps=5))

    def half(stream: BinaryIO, _tensors: dict[str, Tensor], _metadata: dict[str, str]) -> None:
        stream.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_tensors", half)
        assert _train_to_the_end_of_the_disk(run, ToyConfig(), capsys)
    assert (run / "latest").read_text() == "step_00000005\n"
    assert sorted(path.name for path in run.glob("step_*")) == ["step_00000005"]
    _assert_whole(run / "step_00000005")
    train_toy(run, ToyConfig())
    assert _same(run, straight)


def _filling_at(step: int, fill: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    take = Session.step

    def filled(session: Session, batches: object) -> object:  # type: ignore[type-arg]
        if session.progress.step == step:
            fill()
        return take(session, batches)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "step", filled)


@pytest.mark.parametrize("tensorboard", [False, True])
def test_wherever_a_disk_fills_up_the_run_goes_on_from_there_with_room(
    straight: Path,
    small_disk: Path,
    tensorboard: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = _config(tensorboard=tensorboard)
    full = []
    for n_pages in (0, 1, 2, 3, 5, 8, 12, 17, 200):
        run = small_disk / f"run{n_pages}"
        with monkeypatch.context() as patched:
            _filling_at(7, lambda n_pages=n_pages: fill_up(small_disk, n_pages), patched)
            full.append(_train_to_the_end_of_the_disk(run, config, capsys))
        if full[-1]:
            assert RunFolder(run).newest() == run / "step_00000005"
            assert not list(run.glob("*.tmp"))
            _assert_whole(run / "step_00000005")
        (small_disk / "ballast").unlink()
        train_toy(run, config)
        assert _same(run, straight)
        assert len((run / "metrics.jsonl").read_text().splitlines()) == 10
        shutil.rmtree(run)
    assert full[:4] == [True] * 4
    assert full[-1] is False

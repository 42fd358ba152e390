import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.toy_task import ToyConfig, ToyTask, train_toy
from torch import nn

from models.run_folder import RunFolder, RunFolderError
from training.data.order import Cursor
from training.loop.checkpoints import Progress
from training.loop.parallel import Ranks
from training.loop.resuming import CheckpointError, load_checkpoint, read_progress
from training.loop.session import Session

CPU = Ranks(device=torch.device("cpu"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = RunFolder(tmp_path_factory.mktemp("checkpoints") / "run")
    train_toy(run.path, ToyConfig())
    return run


def test_checkpoint_of_other_networks_is_refused_with_what_differs(trained: RunFolder) -> None:
    task = ToyTask(ToyConfig())
    task.network.last = nn.Linear(8, 3)
    session = Session(task, ToyConfig().train, CPU)
    with pytest.raises(CheckpointError, match=r"8 tensors differ, such as .*last.bias: \[8\] there, \[3\] here"):
        load_checkpoint(trained.checkpoint(10), session.state, CPU)


def test_checkpoint_lacking_a_file_is_refused(trained: RunFolder, tmp_path: Path) -> None:
    session = Session(ToyTask(ToyConfig()), ToyConfig().train, CPU)
    folder = tmp_path / "step_00000010"
    folder.mkdir()
    with pytest.raises(CheckpointError, match=r"state\.json is damaged"):
        load_checkpoint(folder, session.state, CPU)
    (folder / "state.json").write_text((trained.checkpoint(10) / "state.json").read_text())
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(folder, session.state, CPU)


def test_damaged_tensors_are_refused(trained: RunFolder, tmp_path: Path) -> None:
    session = Session(ToyTask(ToyConfig()), ToyConfig().train, CPU)
    folder = shutil.copytree(trained.checkpoint(10), tmp_path / "step_00000010")
    shard = folder / "shards" / "rank_0000.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1  # one bit of one number
    shard.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"rank_0000\.safetensors does not have the digest"):
        load_checkpoint(folder, session.state, CPU)
    shard.write_bytes(content[:-1])
    with pytest.raises(CheckpointError, match=r"has \d+ bytes, and \d+ were written"):
        load_checkpoint(folder, session.state, CPU)
    shard.unlink()
    with pytest.raises(CheckpointError, match="No such file"):
        load_checkpoint(folder, session.state, CPU)


def test_progress_is_that_of_the_run(trained: RunFolder) -> None:
    said = json.loads((trained.checkpoint(10) / "state.json").read_text())
    # 40 samples of a set of 11
    assert said == {"step": 10, "cursor": {"epoch": 3, "position": 7}, "bad_steps": 0, "skipped": 0, "best": None}


def test_progress_of_an_older_checkpoint_counts_the_steps_it_knows_to_be_skipped(tmp_path: Path) -> None:
    content = {"step": 10, "cursor": {"epoch": 3, "position": 7}, "bad_steps": 2}
    (tmp_path / "step_00000010").mkdir()
    (tmp_path / "step_00000010" / "state.json").write_text(json.dumps(content))
    assert read_progress(tmp_path / "step_00000010") == Progress(10, Cursor(3, 7), bad_steps=2, skipped=2)


def test_pointer_to_no_checkpoint_names_those_that_are_there(trained: RunFolder) -> None:
    pointer = trained.path / "latest"
    before = pointer.read_text()
    pointer.write_text("step_00000099\n")
    with pytest.raises(RunFolderError, match=r"step_00000099, which is no checkpoint.*step_00000005, step_00000010"):
        trained.newest()
    pointer.write_text(before)


def test_folder_without_a_checkpoint_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="has no checkpoint yet"):
        RunFolder(tmp_path).weights()
    with pytest.raises(RunFolderError, match="is no folder"):
        RunFolder(tmp_path / "typo").weights()

"""Checkpoints as earlier versions wrote them: torch's distributed checkpoints, whose list of tensors is a pickle."""

import json
import shutil
import warnings
from pathlib import Path

import safetensors.torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict_saver import save


def tensors_in(checkpoint: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint that one rank wrote."""
    return safetensors.torch.load_file(checkpoint / "shards" / "rank_0000.safetensors")


def make_pickled(run: Path) -> Path:
    """Rewrite all checkpoints of a run as an earlier version wrote them, and return the newest."""
    for checkpoint in run.glob("step_*"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            save(tensors_in(checkpoint), checkpoint_id=checkpoint / "dcp", no_dist=True)
        shutil.rmtree(checkpoint / "shards")
    record = json.loads((run / "run.json").read_text())
    del record["data"]  # and recorded no data
    (run / "run.json").write_text(json.dumps(record))
    (run / "clips.jsonl").unlink()
    return run / (run / "latest").read_text().strip()

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.run_folder import RunFolder
from training.loop.metrics import MetricsError, MetricsLog, RunningMeans
from training.loop.parallel import Ranks

CPU = Ranks(device=torch.device("cpu"))


def test_means_are_over_the_steps_that_had_the_number() -> None:
    means = RunningMeans()
    means.add({"loss": torch.tensor(1.0)})
    means.add({"loss": torch.tensor(4.0), "gan": torch.tensor(7.0)})
    assert means.take(CPU) == {"gan": 7.0, "loss": 2.5}
    assert means.take(CPU) == {}


def test_numbers_and_pictures_are_there_for_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    picture = np.zeros((4, 6, 3), np.uint8)
    with MetricsLog(RunFolder(tmp_path), 0, tensorboard=True) as log:
        log.write(20, {"loss": 1.5})
        log.write(40, {"loss": 0.5})
        log.show(40, {"swap": picture})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(20, 1.5), (40, 0.5)]
    (image,) = events.Images("swap")
    assert (image.step, image.width, image.height) == (40, 6, 4)


def test_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    with MetricsLog(RunFolder(tmp_path), 0, tensorboard=False) as log:
        log.write(1, {"loss": float("nan"), "norm": float("inf"), "rate": 1.0})
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "loss": None, "norm": None, "rate": 1.0}


def test_tensorboard_that_is_not_installed_is_told_with_both_ways_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MetricsError, match=r"pip install tensorboard.*train\.tensorboard=false"):
        MetricsLog(RunFolder(tmp_path), 0, tensorboard=True)

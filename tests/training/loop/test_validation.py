import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from helpers import toy_task
from helpers.toy_task import WIDTH, ToyConfig, ToyTask, train_toy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from foundation.settings import SettingsError, overlaid
from models.run_folder import RunFolder, RunFolderError
from training.data.randomness import torch_generator
from training.loop.session import Session
from training.loop.validation.best import BestWeights
from training.loop.validation.validator import Validator


def toy_config(**settings: object) -> ToyConfig:
    train = {name: settings.pop(name) for name in list(settings) if name in ToyConfig().train.__slots__}
    train = {"validate_every": 2, **train}
    return overlaid(ToyConfig(), {"validates": True, **settings, "train": train}, "test")


def lines_of(run: Path) -> dict[int, dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len({line["step"] for line in lines}) == len(lines)
    return {line["step"]: line for line in lines}


def errors_of(run: Path) -> dict[int, float]:
    return {step: line["validation/error"] for step, line in lines_of(run).items() if "validation/error" in line}


def best_of(run: Path) -> Mapping[str, Any]:
    newest = RunFolder(run).newest()
    assert newest is not None
    best: Mapping[str, Any] = json.loads((newest / "state.json").read_text())["best"]
    return best


def kept(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "best").iterdir())


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Values of `gain` by validation, in place of those that are measured."""
    values: list[float] = []

    def scripted(self: Validator, validation: object, metrics: dict[str, float]) -> None:
        step, every = self._session.progress.step, self._config.validate_every
        assert every is not None
        choose(self, validation, {**metrics, "gain": values[step // every - 1]})

    choose: Any = Validator._choose
    monkeypatch.setattr(Validator, "_choose", scripted)
    return values


def test_metrics_are_those_of_the_averaged_weights_written_out(tmp_path: Path) -> None:
    train_toy(tmp_path, toy_config(steps=4, checkpoint_every=2, keep_newest=3, log_every=3))
    network = ToyTask(toy_config()).network.eval()
    lines = lines_of(tmp_path)
    for step in (2, 4):
        network.load_state_dict(
            safetensors.torch.load_file(RunFolder(tmp_path).checkpoint(step) / "export" / "ema.safetensors")
        )
        total, count = 0.0, 0
        for number in range(5):
            values = torch.randn(1 + number, WIDTH, generator=torch_generator("validation", number))
            with torch.no_grad():
                total += float((network(0.9 * values) - values).square().mean(dim=1).sum())
            count += 1 + number
        assert count == 15
        assert lines[step]["validation/error"] == pytest.approx(total / count, rel=1e-6)
        assert lines[step]["validation/gain"] == -lines[step]["validation/error"]
        assert lines[step]["validation/odd"] == 7.0
        assert lines[step]["validation/seconds"] > 0.0
        assert "validation/never" not in lines[step]
    # a line of its own where the log has none, and no losses twice
    assert lines.keys() == {2, 3, 4}
    assert ["loss" in lines[step] for step in (2, 3, 4)] == [False, True, True]


def test_metrics_are_there_for_tensorboard(tmp_path: Path) -> None:
    train_toy(tmp_path, toy_config(steps=4, tensorboard=True, checkpoint_every=100, pictures_every=100))
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    shown = {event.step: event.value for event in board.Scalars("validation/error")}
    assert shown == {step: pytest.approx(error, rel=1e-6) for step, error in errors_of(tmp_path).items()}


def test_training_is_the_same_with_and_without_validation(tmp_path: Path) -> None:
    for name, validates in (("with", True), ("without", False)):
        train_toy(tmp_path / name, toy_config(validates=validates, dropout=0.3, validate_every=1))
    ours, theirs = (lines_of(tmp_path / name) for name in ("with", "without"))
    assert [line["loss"] for line in ours.values()] == [line["loss"] for line in theirs.values()]
    ours_raw, theirs_raw = (
        safetensors.torch.load_file(RunFolder(tmp_path / name).weights("raw")) for name in ("with", "without")
    )
    assert all(torch.equal(ours_raw[name], theirs_raw[name]) for name in ours_raw)
    assert not (tmp_path / "without" / "best").exists()


def test_best_network_is_kept_however_many_checkpoints_are_removed(tmp_path: Path, scored: list[float]) -> None:
    scored += [1.0, 3.0, 2.0, math.nan, 3.0, 2.5]
    run = RunFolder(tmp_path)
    report = train_toy(tmp_path, toy_config(steps=12, best_metric="gain", checkpoint_every=2, keep_newest=1))
    assert list(run.checkpoints()) == [12]
    assert kept(tmp_path) == ["latest", "step_00000004"]
    assert best_of(tmp_path) == {"metric": "gain", "value": 3.0, "step": 4, "since": 4, "identity": "toy"}
    measured = json.loads((tmp_path / "best" / "step_00000004" / "validation.json").read_text())
    assert (measured["step"], measured["gain"]) == (4, 3.0)
    assert report.lines[0] == f"best of the validations: gain 3 at step 4, kept in {tmp_path / 'best'}"
    assert report.lines[1].startswith("6 validations took ")

    best = RunFolder.of(tmp_path / "best")
    assert best.weights() == tmp_path / "best" / "step_00000004" / "export" / "ema.safetensors"
    assert best.label() == f"{tmp_path.name}/step_00000004"
    assert RunFolder.of(tmp_path / "step_00000012").weights() == run.weights()
    # the averages of a run that ends there
    train_toy(tmp_path / "short", toy_config(steps=4, validates=False))
    ours, theirs = (safetensors.torch.load_file(one.weights()) for one in (best, RunFolder(tmp_path / "short")))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_run_that_gets_no_better_ends_early_and_says_so_each_time(tmp_path: Path, scored: list[float]) -> None:
    scored += [1.0, 3.0, 2.0, 2.9, 2.8, 9.0]
    config = toy_config(steps=12, best_metric="gain", patience=3)
    report = train_toy(tmp_path, config)
    assert (report.step, report.stopped_by) == (10, None)
    assert RunFolder(tmp_path).newest() == RunFolder(tmp_path).checkpoint(10)
    assert report.lines[0] == "ended early at step 10: gain did not get better in 3 validations (train.patience=3)"
    again = train_toy(tmp_path, config)
    assert (again.step, again.lines) == (10, report.lines[:2])
    more = train_toy(tmp_path, toy_config(steps=12, best_metric="gain", patience=4))
    assert (more.step, best_of(tmp_path)["step"]) == (12, 12)
    assert not more.lines[0].startswith("ended early")


@pytest.mark.parametrize("dies", ["after the rename", "before the rename", "after the pointer"])
def test_run_that_is_killed_as_the_best_is_written_goes_on_to_the_same_end(
    dies: str, tmp_path: Path, scored: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint at step 5 knows the network of step 4; that of step 6 is better, and the kill follows."""
    scored += [1.0, 3.0, 4.0, 2.0, 2.0]
    config = toy_config(best_metric="gain")
    train_toy(tmp_path / "straight", config)
    names = ["latest", "step_00000006"]
    assert kept(tmp_path / "straight") == names
    with monkeypatch.context() as killed:
        if dies == "after the pointer":
            step = Session.step
            killed.setattr(
                Session, "step", lambda self, batch: _die() if self.progress.step == 6 else step(self, batch)
            )
        elif dies == "after the rename":
            point = BestWeights._point
            killed.setattr(BestWeights, "_point", lambda self, step: _die() if step == 6 else point(self, step))
        else:
            rename = Path.rename
            killed.setattr(Path, "rename", lambda path, to: _die() if to.name == "step_00000006" else rename(path, to))
        with pytest.raises(KeyboardInterrupt):
            train_toy(tmp_path / "killed", config)
    # whatever was done last, a whole network is named
    named = {"after the pointer": "step_00000006"}.get(dies, "step_00000004")
    assert RunFolder.of(tmp_path / "killed" / "best").weights().parent.parent.name == named
    train_toy(tmp_path / "killed", config)
    assert kept(tmp_path / "killed") == names
    assert errors_of(tmp_path / "killed") == errors_of(tmp_path / "straight")
    assert best_of(tmp_path / "killed") == best_of(tmp_path / "straight")


def _die() -> None:
    raise KeyboardInterrupt


def test_best_of_a_course_that_was_given_up_does_not_count(tmp_path: Path, scored: list[float]) -> None:
    scored += [1.0, 3.0, 4.0, 2.0, 2.0]
    run = RunFolder(tmp_path)
    train_toy(tmp_path, toy_config(steps=5, best_metric="gain"))
    shutil.copytree(tmp_path / "best", tmp_path / "before")
    train_toy(tmp_path, toy_config(steps=6, best_metric="gain", checkpoint_every=100))
    assert kept(tmp_path) == ["latest", "step_00000006"]
    shutil.rmtree(run.checkpoint(6))  # the user takes the run back to step 5
    run.pointer.write_text("step_00000005")
    shutil.copytree(tmp_path / "before", tmp_path / "best", dirs_exist_ok=True)
    scored[:] = [1.0, 3.0, 2.0, 2.0, 2.0]
    train_toy(tmp_path, toy_config(steps=7, best_metric="gain"))
    assert kept(tmp_path) == ["latest", "step_00000004"]
    assert RunFolder.of(tmp_path / "best").weights().parent.parent.name == "step_00000004"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "other"}, "was chosen by other on clips that were given"),
        ({"identity": "others"}, "so the choice begins anew"),
        ({"step": 3}, "of step 3, is not in"),
    ],
)
def test_best_that_cannot_be_compared_is_left_and_told(
    change: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_toy(tmp_path, toy_config(steps=4))
    state = RunFolder(tmp_path).checkpoint(4) / "state.json"
    values = json.loads(state.read_text())
    state.write_text(json.dumps({**values, "best": {**values["best"], "value": -1.0, **change}}))
    train_toy(tmp_path, toy_config(steps=6))
    assert said in capsys.readouterr().err
    assert best_of(tmp_path)["value"] == min(list(errors_of(tmp_path).values())[2:])


def test_metric_that_is_not_measured_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"train.best_metric is 'psnr'; give one of error, gain"):
        train_toy(tmp_path / "run", toy_config(best_metric="psnr"))
    assert not (tmp_path / "run").exists()


def test_run_without_validation_has_no_best_network(tmp_path: Path) -> None:
    train_toy(tmp_path, toy_config(validate_every=None, steps=1))
    assert "validation/error" not in lines_of(tmp_path)[1]
    with pytest.raises(RunFolderError, match=r"best.* give a folder that `gaia-train` wrote"):
        RunFolder.of(tmp_path / "best").weights()


def test_link_in_place_of_the_best_network_is_not_followed(tmp_path: Path) -> None:
    train_toy(tmp_path / "run", toy_config(steps=2))
    shutil.move(tmp_path / "run" / "best", tmp_path / "outside")
    (tmp_path / "run" / "best").symlink_to(tmp_path / "outside")
    with pytest.raises(RunFolderError, match="best is a link"):
        RunFolder.of(tmp_path / "run" / "best").weights()


def test_disk_that_refuses_the_best_network_leaves_the_one_before(
    tmp_path: Path, scored: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored += [1.0, 2.0]

    def full(_tensors: object, *_: object) -> None:
        raise OSError(28, "No space left on device")

    train_toy(tmp_path, toy_config(steps=2, best_metric="gain"))
    with monkeypatch.context() as changed:
        changed.setattr("training.loop.validation.best.save_tensors", full)
        with pytest.raises(OSError, match="No space left"):
            train_toy(tmp_path, toy_config(steps=4, best_metric="gain"))
    assert kept(tmp_path) == ["latest", "step_00000002"]


@pytest.mark.slow
def test_two_ranks_measure_what_one_does(tmp_path: Path) -> None:
    """Five batches on two ranks: one of them measures a batch that does not count."""
    program = Path(str(toy_task.__file__))
    settings = ("validates=true", "train.validate_every=2", "train.steps=4", "train.micro_batch=2")
    train_toy(tmp_path / "one", toy_config(steps=4, micro_batch=2))
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*launched, program, tmp_path / "two", *settings], check=True, capture_output=True, timeout=300)
    ours, theirs = errors_of(tmp_path / "one"), errors_of(tmp_path / "two")
    assert ours.keys() == theirs.keys() == {2, 4}
    assert theirs == {step: pytest.approx(error, rel=1e-5) for step, error in ours.items()}
    assert lines_of(tmp_path / "two")[4]["validation/odd"] == 7.0
    assert kept(tmp_path / "two") == kept(tmp_path / "one")

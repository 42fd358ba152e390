import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers.toy_task import ToyConfig, ToyTask, train_toy
from PIL import Image

from foundation.settings import SettingsError, overlaid
from models.run_folder import RunFolder, RunFolderError
from models.run_record import RunChange
from training.loop.dry_run import dry_run
from training.loop.estimates import ResourceError
from training.loop.loop import TrainError
from training.loop.parallel import Ranks
from training.loop.session import Session
from training.loop.task import Task

CPU = Ranks(device=torch.device("cpu"))


def toy_config(**settings: object) -> ToyConfig:
    train = {name: settings.pop(name) for name in list(settings) if name in ToyConfig().train.__slots__}
    return overlaid(ToyConfig(), {**settings, "train": train}, "test")


def test_run_folder_has_log_pictures_and_checkpoints(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    report = train_toy(run.path, toy_config(log_every=4))
    assert (report.step, report.stopped_by) == (10, None)
    assert list(run.checkpoints()) == [5, 10]
    assert run.newest() == run.checkpoint(10)
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 10]
    assert lines[-1]["epoch"] == pytest.approx(40 / 11)  # 10 steps of 4 of 11 sequences
    assert lines[0]["learning_rate"] == pytest.approx(1e-2)  # that of the fourth step, the last of the rise
    assert all(line["sequences_per_second"] > 0 and line["gradient_norm/network"] > 0 for line in lines)
    assert sorted(path.name for path in (run.previews / "eye").iterdir()) == ["step_00000005.png", "step_00000010.png"]
    # two pictures of 8 x 8, each under a caption of 20 px
    assert Image.open(run.contact_sheet).size == (8, 56)
    assert (run.path / "toy.txt").exists()


def test_picture_is_made_with_the_averaged_weights(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_toy(run.path, toy_config())
    task = ToyTask(toy_config())
    task.network.load_state_dict(safetensors.torch.load_file(run.weights("ema")))
    shown = np.asarray(Image.open(run.previews / "eye" / "step_00000010.png"))
    np.testing.assert_array_equal(shown, task.previews()["eye"])
    task.network.load_state_dict(safetensors.torch.load_file(run.weights("raw")))
    assert (shown != task.previews()["eye"]).any()


def test_run_whose_gradients_stay_bad_ends_and_says_what_to_do(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(TrainError, match=r"network.* 3 steps in a row, the last of them 8; .*step_00000005"):
        train_toy(run.path, toy_config(bad_from=5, max_bad_steps=3))
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert lines[-1] == {**lines[-1], "step": 7, "bad_steps": 1.0}
    assert "loss" not in lines[-1]


def test_run_that_skipped_most_of_its_steps_ends_with_an_error_and_without_a_checkpoint(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(
        TrainError, match=r"network.* not finite in 19 of 20 steps.*max_bad_share 0\.1.* is none: lower"
    ):
        train_toy(run.path, toy_config(steps=20, bad_from=1, checkpoint_every=1000))
    assert run.newest() is None
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert (lines[-1]["step"], lines[-1]["bad_steps"], lines[-1]["bad_steps_in_all"]) == (20, 1.0, 19.0)


def test_skipped_steps_between_taken_ones_end_a_run_before_its_next_checkpoint(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    # every other step from 11 on is bad: never two in a row; 4 of 8 since the checkpoint at step 10
    with pytest.raises(
        TrainError, match=r"in 4 of 8 steps.*the last of them 18; the newest checkpoint is step_0000001"
    ):
        train_toy(run.path, toy_config(steps=1000, bad_from=11, bad_every=2, max_bad_steps=4, checkpoint_every=10))


def test_single_skipped_steps_are_borne_and_counted_in_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(tmp_path / "run")
    report = train_toy(run.path, toy_config(steps=20, bad_from=5, bad_every=10, checkpoint_every=10))
    assert (report.step, report.skipped) == (20, 2)
    assert "2 of 16 steps were skipped so far" in capsys.readouterr().err
    assert json.loads((run.newest() / "state.json").read_text())["skipped"] == 2
    # a resumed run goes on counting
    assert train_toy(run.path, toy_config(steps=25, bad_from=5, bad_every=10)).skipped == 2


def test_share_of_skipped_steps_is_judged_anew_after_each_checkpoint(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(TrainError, match=r"in 2 of 10 steps"):
        train_toy(run.path, toy_config(steps=40, bad_from=22, bad_every=6, checkpoint_every=10))
    assert run.newest() == run.checkpoint(20)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(optimiser: torch.optim.Adam) -> None:
        with torch.no_grad():
            optimiser.param_groups[0]["params"][0].fill_(float("inf"))

    monkeypatch.setattr(torch.optim.Adam, "step", overflow)  # after gradients that were finite
    run = RunFolder(tmp_path / "run")
    with pytest.raises(TrainError, match="weights, or averages of them, are not finite"):
        train_toy(run.path, toy_config(steps=1))
    assert run.newest() is None


def test_dry_run_says_that_steps_would_be_skipped() -> None:
    config = toy_config(bad_from=1)
    task: Task = ToyTask(config)
    assert "caution gradients of network were not finite" in dry_run(task, config.train, CPU)


def test_skipped_step_leaves_weights_and_moments_as_they_were(tmp_path: Path) -> None:
    good, skipped = RunFolder(tmp_path / "good"), RunFolder(tmp_path / "skipped")
    train_toy(good.path, toy_config(steps=5))
    train_toy(skipped.path, toy_config(steps=9, bad_from=5, max_bad_share=1.0))
    for which in ("ema", "raw"):
        ours, theirs = (safetensors.torch.load_file(run.weights(which)) for run in (good, skipped))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert json.loads((skipped.newest() / "state.json").read_text())["bad_steps"] == 4


def test_run_goes_on_only_with_the_settings_it_was_begun_with(tmp_path: Path) -> None:
    train_toy(tmp_path / "run", toy_config(steps=2))
    with pytest.raises(RunFolderError, match=r"dropout is 0.5, was 0.0; .*--accept-changes"):
        train_toy(tmp_path / "run", toy_config(steps=4, dropout=0.5))
    with pytest.raises(RunFolderError, match=r"train.seed is 3, was 0"):
        train_toy(tmp_path / "run", toy_config(steps=4, seed=3))
    train_toy(tmp_path / "run", toy_config(steps=4, dropout=0.5), accept_changes=True)
    record = RunFolder(tmp_path / "run").record()
    assert record.settings["dropout"] == 0.5
    assert record.history[1] == RunChange(
        at="step_00000002", changed={"dropout": "0.5, was 0.0", "train.steps": "4, was 2"}
    )


def test_run_that_ended_before_its_first_checkpoint_may_begin_anew_with_other_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object) -> NoReturn:
        raise TrainError("made by the test")

    with monkeypatch.context() as changed:
        changed.setattr(Session, "step", ends)
        with pytest.raises(TrainError, match="made by the test"):
            train_toy(tmp_path / "run", toy_config(steps=2))
    assert RunFolder(tmp_path / "run").record().settings["dropout"] == 0.0
    train_toy(tmp_path / "run", toy_config(steps=2, dropout=0.5))
    assert RunFolder(tmp_path / "run").record().settings["dropout"] == 0.5


def test_run_of_another_task_is_refused(tmp_path: Path) -> None:
    train_toy(tmp_path / "run", toy_config(steps=1))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**record, "task": "vae"}))
    with pytest.raises(RunFolderError, match="holds a run of vae, not of toy"):
        train_toy(tmp_path / "run", toy_config(steps=2))


def test_start_that_was_killed_before_its_record_was_written_can_be_given_again(tmp_path: Path) -> None:
    (tmp_path / ".run.json.part").write_text('{"form')
    assert train_toy(tmp_path, toy_config(steps=1)).step == 1


def test_ranks_have_looked_at_the_folder_before_the_first_one_writes_there(tmp_path: Path) -> None:
    at_the_wait: list[list[Path]] = []

    class First(Ranks):
        def wait(self) -> None:
            at_the_wait.append(sorted(tmp_path.glob("run*")))

    train_toy(tmp_path / "run", toy_config(steps=1), ranks=First(device=torch.device("cpu")))
    assert at_the_wait[:2] == [[], [tmp_path / "run"]]


def test_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(RunFolderError, match="holds files, but no run"):
        train_toy(tmp_path, toy_config())


def test_batch_that_does_not_divide_is_refused_with_what_would(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"global batch of 4 is no multiple of 3.*give a multiple of 3"):
        train_toy(tmp_path / "run", toy_config(micro_batch=3))
    assert not (tmp_path / "run").exists()


def test_too_little_disk_is_told_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 225 numbers of the network and 9 of the critic: 12 bytes of each, and 12 more of the network's
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 3 * (12 * 225 + 12 * 216) - 1}))
    with pytest.raises(ResourceError, match="3 checkpoints of"):
        train_toy(tmp_path / "run", toy_config())
    assert not RunFolder(tmp_path / "run").checkpoints()


def test_too_little_memory_is_told_before_anything_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.estimates.available_memory", lambda _: 16 * 225 + 4 * 216 - 1)
    with pytest.raises(ResourceError, match="take a smaller --size"):
        train_toy(tmp_path / "run", toy_config())


def test_old_checkpoints_go_and_those_to_be_kept_stay(tmp_path: Path) -> None:
    train_toy(tmp_path / "run", toy_config(steps=12, checkpoint_every=2, keep_newest=2, keep_every=4))
    assert list(RunFolder(tmp_path / "run").checkpoints()) == [4, 8, 10, 12]


def test_checkpoint_cut_short_is_removed_and_the_one_before_is_gone_on_from(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_toy(run.path, toy_config(steps=5))
    (run.path / "step_00000010.tmp" / "dcp").mkdir(parents=True)
    run.checkpoint(7).mkdir()  # it has its name, but the pointer was not moved yet
    (run.checkpoint(7) / "state.json").write_text("{}")
    report = train_toy(run.path, toy_config(steps=7))
    assert report.step == 7
    assert sorted(path.name for path in run.path.glob("step_*")) == ["step_00000005", "step_00000007"]
    assert run.newest() == run.checkpoint(7)


def test_dry_run_says_what_training_takes_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    task: Task = ToyTask(toy_config())
    lines = dict(line.split(maxsplit=1) for line in dry_run(task, toy_config().train, CPU).splitlines())
    assert list(lines) == ["model", "data", "batch", "memory", "disk", "time"]
    assert lines["model"] == "network 0.00 M, critic 0.00 M parameters"
    assert lines["data"] == "11 sequences"
    assert lines["batch"] == "4 sequences: 1 x 4 on 1 ranks"
    assert lines["time"].endswith("for 10 steps")
    assert not list(tmp_path.iterdir())


def test_too_long_gradient_is_shortened_and_its_length_logged(tmp_path: Path) -> None:
    for name, limit in (("free", None), ("short", 1e-3)):
        train_toy(tmp_path / name, toy_config(steps=1, max_gradient_norm=limit))
    norms = [
        json.loads((tmp_path / name / "metrics.jsonl").read_text())["gradient_norm/network"]
        for name in ("free", "short")
    ]
    assert norms[0] == norms[1] > 0.1

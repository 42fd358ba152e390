"""Runs with rules of the user's own: what stands in the dataset, and that later runs need the rules again."""

import json
import shutil
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video
from typer.testing import CliRunner

import curation
from curation.analysis.windows import WindowSettings
from curation.cli.app import app
from curation.engine.execution import Executor
from curation.engine.ray_pool import NotSendableError
from curation.operations.plan import plan
from curation.operations.read_evidence import read_evidence
from curation.operations.retry import retry
from curation.output.recorded_rules import OtherRulesError
from curation.rules.rule import MeasuredVideo, Rule, RuleError, rule
from curation.settings import PRESETS, load_settings
from foundation.errors import EXIT_USAGE
from manifests.errors import DatasetError
from manifests.files.tables import read_table
from manifests.record import read_dataset
from manifests.reports.explain import explain
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate

QUIET = load_settings(PRESETS["embedded"], None, ["speech.encoder=none", "speech.denoiser=none"])
N_TICKS = 225


def _distance(video: MeasuredVideo) -> np.ndarray:
    return len(video) - 1 - np.arange(len(video))


@rule(words="distance from the end", unit="ticks", at_least=50.0)
def late(video: MeasuredVideo) -> np.ndarray:
    return len(video) - 1 - np.arange(len(video))


@rule(words="place of the upper lip", unit="px", at_most={"vae": 1e4})
def low_lip(video: MeasuredVideo) -> np.ndarray:
    return video.face.landmarks_px[:, 13, 1]


@rule(words="nothing", at_most=1.0)
def breaks_on_faces(video: MeasuredVideo) -> np.ndarray:
    if len(video.evidence.faces):
        raise ZeroDivisionError("made")
    return np.zeros(len(video))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    """One video of 9 s."""
    folder = tmp_path_factory.mktemp("source")
    times_s = frame_times(Fraction(25), N_TICKS)
    talking_video(folder / "a.mp4", talking_face, times_s, sound=talking_face.sound(0.0, N_TICKS / 25))
    return folder


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset that a run with the rule `late` has made; read it, never write to it."""
    dataset = tmp_path_factory.mktemp("late") / "dataset"
    curation.run(source, dataset, QUIET, rules=[late])
    return dataset


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "dataset"))


def spans(dataset: Path, tier: str = "vae") -> list[tuple[float, float, str, float | None, float | None]]:
    return [
        (row["start_s"], row["end_s"], row["outcome"], row["value"], row["limit"])
        for row in read_table(dataset, "spans").to_pylist()
        if row["tier"] == tier
    ]


def test_the_outcome_stands_in_the_dataset_with_value_and_limit(made: Path) -> None:
    assert spans(made) == [(0.0, 7.0, "kept", None, None), (7.0, 9.0, "late", 0.0, 50.0)]
    assert read_table(made, "spans")["failed"].to_pylist()[-1] == ["late"]
    assert read_table(made, "clips")["n_frames"].to_pylist() == [175]
    assert read_dataset(made).config == QUIET.model_dump(mode="json")


def test_reports_read_the_words_from_the_dataset_and_need_no_rule(made: Path) -> None:
    assert validate(made) == []
    assert (
        "dropped as late, 0:07.00 to 0:09.00: distance from the end is 0 ticks; kept is at least 50 ticks"
        in explain(made, "a.mp4", 8.0).text()
    )
    assert ("vae", "late", 2.0) in [(row.tier, row.outcome, row.seconds) for row in statistics(made).drops]
    (record,) = [record for record in read_dataset(made).rules if record.own]
    assert record.settings == {"at_least": {"diffusion": 50.0, "vae": 50.0}}
    assert [record.name for record in read_dataset(made).rules][-3:] == ["late", "sync", "too_short"]


def test_the_same_rule_goes_on_and_decodes_nothing(source: Path, dataset: Path) -> None:
    report = curation.run(source, dataset, QUIET, rules=[late])
    assert (report.already_done, report.curated) == (1, ())
    assert spans(dataset)[-1][2] == "late"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], r"with a rule of your own, 'late', which is not given.*rules=\[late\]"),
        ([late, low_lip], "without the rule 'low_lip'"),
        (
            [rule(words="distance", name="late", at_least=25.0)(lambda video: np.arange(len(video)))],
            "other settings of the rule 'late'",
        ),
    ],
)
def test_other_rules_than_before_are_refused(source: Path, dataset: Path, rules: list[Rule], message: str) -> None:
    before = {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    calls: list[Callable[[], object]] = [
        lambda: curation.run(source, dataset, QUIET, rules=rules),
        lambda: plan(source, dataset, QUIET, rules=rules),
    ]
    for call in calls:
        with pytest.raises(OtherRulesError, match=message) as caught:
            call()
        assert caught.value.exit_code == EXIT_USAGE
    assert {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()} == before


def test_a_dataset_made_without_rules_takes_none_later(source: Path, dataset: Path, tmp_path: Path) -> None:
    curation.redecide(dataset, tmp_path / "plain", rules=[])
    with pytest.raises(OtherRulesError, match="without the rule 'late'"):
        curation.run(source, tmp_path / "plain", QUIET, rules=[late])


@pytest.mark.parametrize("command", ["run", "decide"])
def test_a_command_names_the_missing_rule_and_ends_with_2(
    command: str, source: Path, dataset: Path, tmp_path: Path
) -> None:
    if command == "run":
        chosen = ["--preset", "embedded", "--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
        arguments = ["run", "--source", str(source), "--out", str(dataset), *chosen]
    else:
        arguments = ["decide", str(dataset), "--out", str(tmp_path / "again")]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == EXIT_USAGE
    assert "'late', which is not given" in answer.output
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("value", [float("nan"), (1, 2), {3}])
def test_settings_that_json_cannot_hold_are_refused_before_anything_is_written(
    source: Path, tmp_path: Path, value: object
) -> None:
    odd = Rule(name="odd", judge=lambda _video: {}, words="a made value", settings={"value": value})  # type: ignore[dict-item]
    with pytest.raises(RuleError, match="settings that JSON cannot hold"):
        curation.run(source, tmp_path / "dataset", QUIET, rules=[odd])
    assert not (tmp_path / "dataset").exists()


def test_retry_needs_the_rules_of_the_dataset(source: Path, dataset: Path) -> None:
    (source / "broken.mp4").write_text("no video")
    try:
        curation.run(source, dataset, QUIET, rules=[late])
        with pytest.raises(OtherRulesError, match="'late'"):
            retry(dataset)
        (record,) = retry(dataset, rules=[late]).records
        assert record.status == "failed"
    finally:
        (source / "broken.mp4").unlink()


def test_another_decision_takes_other_rules(dataset: Path, tmp_path: Path) -> None:
    curation.redecide(dataset, tmp_path / "none", rules=[])
    assert spans(tmp_path / "none") == [(0.0, 9.0, "kept", None, None)]
    assert not any(record.own for record in read_dataset(tmp_path / "none").rules)
    earlier = rule(words="distance from the end", name="late", at_least=100.0)(_distance)
    curation.redecide(dataset, tmp_path / "earlier", rules=[earlier])
    assert spans(tmp_path / "earlier")[0] == (0.0, 5.0, "kept", None, None)
    with pytest.raises(OtherRulesError, match="'late'"):
        curation.redecide(dataset, tmp_path / "unsaid")


def test_evidence_of_a_dataset_gives_its_decision_again(dataset: Path) -> None:
    decision = curation.decide(read_evidence(dataset, "a.mp4"), QUIET.rules, rules=[late])
    ours = [(span.first_tick / 25, span.end_tick / 25, span.outcome) for span in decision.spans if span.tier == "vae"]
    assert ours == [span[:3] for span in spans(dataset)]


def test_evidence_of_a_video_that_was_not_measured_is_refused(source: Path, dataset: Path) -> None:
    (source / "broken.mp4").write_text("no video")
    try:
        curation.run(source, dataset, QUIET, rules=[late])
    finally:
        (source / "broken.mp4").unlink()
    with pytest.raises(DatasetError, match=r"broken\.mp4 was not measured: its status is failed"):
        read_evidence(dataset, "broken.mp4")


def test_a_rule_that_raises_ends_the_run_and_the_video_is_not_recorded_as_broken(source: Path, tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"a\.mp4: rule 'breaks_on_faces' raised ZeroDivisionError: made in .*line"):
        curation.run(source, tmp_path / "dataset", QUIET, rules=[breaks_on_faces])
    assert not list((tmp_path / "dataset" / "ledger").glob("*.json"))


def test_a_rule_that_fails_without_sound_is_refused_before_anything_is_written(source: Path, tmp_path: Path) -> None:
    loud = rule(words="level", name="loud", at_most=0.0)(lambda video: video.evidence.loudness_dbfs * 2)  # type: ignore[operator]
    with pytest.raises(RuleError, match="without a face and without sound"):
        curation.run(source, tmp_path / "dataset", QUIET, rules=[loud])
    assert not (tmp_path / "dataset").exists()


def test_the_words_of_a_rule_may_change(source: Path, dataset: Path) -> None:
    reworded = rule(words="ticks to come", name="late", at_least=50.0)(lambda video: np.zeros(len(video)))
    curation.run(source, dataset, QUIET, rules=[reworded])
    assert "ticks to come is 0" in explain(dataset, "a.mp4", 8.0).text()


@pytest.mark.slow
def test_a_long_video_in_windows_gives_a_rule_all_measures(source: Path, tmp_path: Path) -> None:
    divided = QUIET.model_copy(update={"windows": WindowSettings(length_s=8)})
    for name, settings in (("one", QUIET), ("many", divided)):
        curation.run(source, tmp_path / name, settings, rules=[low_lip, late])
    assert spans(tmp_path / "many") == spans(tmp_path / "one")
    assert read_table(tmp_path / "many", "clips").equals(read_table(tmp_path / "one", "clips"))


@pytest.mark.slow
def test_workers_of_ray_get_the_rules(source: Path, made: Path, tmp_path: Path) -> None:
    curation.run(source, tmp_path / "dataset", QUIET, Executor(kind="ray", workers=1), rules=[late])
    assert spans(tmp_path / "dataset") == spans(made)
    ours, theirs = (json.loads((path / "dataset.json").read_text()) for path in (tmp_path / "dataset", made))
    assert ours["rules"] == theirs["rules"]


def test_a_rule_that_cannot_be_sent_to_ray_is_refused_in_words(source: Path, tmp_path: Path) -> None:
    lock = threading.Lock()
    locked = rule(words="a made value", name="locked", at_most=1.0)(lambda video: np.zeros(len(video)) + lock.locked())
    with pytest.raises(NotSendableError, match=r"cannot be sent to the workers of Ray: TypeError: .*lock") as caught:
        curation.run(source, tmp_path / "dataset", QUIET, Executor(kind="ray", workers=1), rules=[locked])
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.slow
def test_a_rule_that_raises_in_a_worker_of_ray_ends_the_run(source: Path, tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"a\.mp4: rule 'breaks_on_faces' raised ZeroDivisionError: made"):
        curation.run(source, tmp_path / "dataset", QUIET, Executor(kind="ray", workers=1), rules=[breaks_on_faces])

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from typer.testing import CliRunner

from foundation.errors import UsageError
from training import evaluate_run
from training.cli.app import app
from training.evaluation.protocols.protocol import load_protocols

PROTOCOLS = ("self_reconstruction", "cross_reenactment", "speech_driven")


@pytest.fixture(scope="module")
def few_frames(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [{"video": name, "n_frames": 6, "split": "test", "click": 3} for name in ("fay", "guy")]
    return make_clips(tmp_path_factory.mktemp("few") / "dataset", *clips)


@pytest.mark.slow
def test_one_command_leads_from_a_run_to_the_tables(
    few_frames: Path, write_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the clips show no faces: their models would take most of the time to find none
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    run, out = write_run(motion=True, of_vae=["anna"]), tmp_path / "evaluation"
    command = ["evaluate", "--run", str(run), "--dataset", str(few_frames), "--out", str(out), "--device", "cpu"]
    command += ["--cache", str(tmp_path / "cache"), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert list(result["protocols"]) == list(PROTOCOLS)
    for name, one in result["protocols"].items():
        table = one["table"]
        # two clips, in five rounds where they show each other
        assert one["videos"] == table["systems"][0]["n_videos"] == (10 if name == "cross_reenactment" else 2)
        assert table["table"] == load_protocols(name)[1][name].table
        assert table["systems"][0]["system"] == "tiny"
        assert sorted(path.name for path in (out / name / "table").iterdir())[-3:] == [
            "table.html", "table.json", "table.tex",
        ]  # fmt: skip
    assert result["protocols"]["self_reconstruction"]["table"]["systems"][0]["scores"]["psnr"]["value"] > 0
    # five of six frames: the first one is the reference
    assert result["protocols"]["self_reconstruction"]["table"]["systems"][0]["n_frames"] == 10
    made = {path: path.stat().st_mtime_ns for path in out.rglob("outputs/*.mp4")}
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    assert {path: path.stat().st_mtime_ns for path in out.rglob("outputs/*.mp4")} == made
    assert json.loads(again.stdout)["protocols"] == result["protocols"]


def test_options_that_do_not_go_together_are_refused(people: Path, tmp_path: Path) -> None:
    out = ["evaluate", "--out", str(tmp_path / "out")]
    for given, message in (
        ([], "give --outputs and --truth"),
        (["--run", "run"], "give it with --dataset"),
        (["--run", "run", "--dataset", str(people), "--truth", "x"], "--truth cannot be given with --run"),
        (["--run", "run", "--dataset", str(people), "--protocol", "talkinghead_1kh"], "give --test-list"),
        (["--run", "run", "--dataset", str(people), "--protocol", "papers"], "the nearest known one is 'paper'"),
    ):
        done = CliRunner().invoke(app, [*out, *given])
        assert done.exit_code == 2
        assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_of_the_vae_leaves_out_what_speech_drives_unless_it_is_asked_for(
    people: Path, write_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.run_videos.evaluate_run.evaluate_outputs", lambda *_, **__: "the table")
    made: list[str] = []
    monkeypatch.setattr(
        "training.run_videos.evaluate_run.generate_videos", lambda _run, name, *_, **__: made.append(name) or _Made()
    )
    run = write_run()
    evaluation = evaluate_run(run, people, tmp_path / "out", device="cpu")
    assert made == ["self_reconstruction", "cross_reenactment"]
    assert (
        "skipped: protocol speech_driven drives a face by speech, and tiny/step_00000007 is a run of the VAE alone"
        in (str(evaluation))
    )
    with pytest.raises(
        UsageError, match="is a run of the VAE alone; train the motion network with `gaia-train latents"
    ):
        evaluate_run(run, people, tmp_path / "out", protocol="speech_driven", device="cpu")


class _Made:
    outputs = truth = reference = Path("made")
    copy = None
    left_out: Mapping[str, str] = MappingProxyType({})

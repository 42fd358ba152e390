import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.run_folder import RunFolderError
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, read_facts, save_weights
from training import encode_latents, read_experiment, train_diffusion, train_experiment, train_vae
from training.data.held_out_sources import HeldOutError
from training.latents.files import LatentsError
from training.vae.config import vae_config

TINY_STEPS = {"train.steps": 2, "train.batch": 4, "train.micro_batch": 2, "train.validate_every": None}
SMALL_VAE = {
    "model.width": 4,
    "model.multipliers": [1, 1, 1],
    "model.groups": 2,
    "model.image_px": 32,
    "check_pairs": 4,
}
VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [{"video": name, "n_frames": n} for name, n in (("a", 80), ("b", 90), ("c", 100))]
    other = {"video": "d", "n_frames": 80, "source": "two"}
    return make_clips(tmp_path_factory.mktemp("data") / "dataset", *clips, other)


@pytest.fixture(scope="module")
def vae_run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the VAE with random weights, whose latents the dataset has."""
    run = tmp_path_factory.mktemp("vae") / "run"
    torch.manual_seed(0)
    weights = run / "step_00000001" / "export" / "ema.safetensors"
    save_weights(weights, Vae(VAE), VAE, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    (run / "step_00000001" / "state.json").write_text("{}")
    (run / "latest").write_text("step_00000001")
    encode_latents(dataset, run, device="cpu")
    return run


@pytest.mark.slow
def test_three_calls_train_both_networks_and_say_how_they_ended(dataset: Path, tmp_path: Path) -> None:
    vae = train_vae(dataset, tmp_path / "vae", size="tiny", overrides=TINY_STEPS | SMALL_VAE, device="cpu")
    assert (vae.steps_done, vae.steps, vae.stopped_by, vae.dry_run) == (2, 2, None, False)
    assert vae.weights == tmp_path / "vae" / "step_00000002" / "export" / "ema.safetensors"
    assert f"{tmp_path / 'vae'}: 2 of 2 steps are done" in str(vae)
    assert "unseen frames of learned clips, 4 pairs" in repr(vae)
    latents = encode_latents(str(dataset), str(tmp_path / "vae"), device="cpu")
    assert (latents.clips, latents.frames, latents.damaged) == (4, 350, 0)
    assert latents.folder is not None
    assert str(latents.folder) in repr(latents)
    run = tmp_path / "motion"
    small = ["train.steps=2", "train.batch=4", "train.micro_batch=2"]
    motion = train_diffusion(dataset, tmp_path / "vae", run, size="tiny", overrides=small, device="cpu")
    assert motion.steps_done == 2
    assert "note: nothing is validated: " in str(motion)
    assert "train, 4 clips: motion correlates" in str(motion)
    assert read_facts(motion.weights).speech_encoder == "made"


@pytest.mark.slow
def test_nothing_is_learned_from_a_test_source_by_any_of_three_calls(dataset: Path, tmp_path: Path) -> None:
    held_out, vae, run = {"data.test_sources": ["two"]}, tmp_path / "vae", tmp_path / "motion"
    trained = train_vae(dataset, vae, size="tiny", overrides=TINY_STEPS | SMALL_VAE | held_out, device="cpu")
    # one of four clips is of that source
    sentence = "1 clip, 0.00 h, of 1 person left out by data.test_sources=[two]"
    latents = encode_latents(dataset, vae, device="cpu")
    assert (latents.clips, latents.frames) == (3, 270)
    with pytest.raises(HeldOutError, match=r"of which there are no latents; give --set data\.test_sources=\[two\]"):
        train_diffusion(dataset, vae, run, size="tiny", overrides=TINY_STEPS, device="cpu")
    overrides = TINY_STEPS | held_out | {"check_clips": 0}
    motion = train_diffusion(dataset, vae, run, size="tiny", overrides=overrides, device="cpu")
    assert all(sentence in str(result) for result in (trained, latents, motion))
    learned = (vae / "clips.jsonl").read_text()
    assert [json.loads(line)[0][0] for line in learned.splitlines()] == ["a", "b", "c"]
    assert (run / "vae_clips.jsonl").read_text() == learned
    with pytest.raises(RunFolderError, match=r"data\.test_sources is \[\], was \['two'\]"):
        train_vae(dataset, vae, size="tiny", overrides=TINY_STEPS | SMALL_VAE, device="cpu")


@pytest.mark.slow
def test_a_dry_run_reports_and_writes_nothing(dataset: Path, tmp_path: Path) -> None:
    result = train_vae(
        dataset, tmp_path / "run", size="tiny", overrides=TINY_STEPS | SMALL_VAE, device="cpu", dry_run=True
    )
    assert result.dry_run
    assert [line.split()[0] for line in str(result).splitlines()] == [
        *("model", "data", "batch", "memory", "disk", "time")
    ]
    assert not (tmp_path / "run").exists()


def test_settings_may_be_a_mapping_with_any_json_value(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the nearest known one is 'train\.steps'"):
        train_vae(dataset, tmp_path / "run", size="tiny", overrides={"train.stepz": 1})
    with pytest.raises(ValueError, match=r"no clip is left by data\.sources"):
        train_vae(dataset, tmp_path / "run", size="tiny", overrides={"data.sources": ("three",)})


@pytest.mark.slow
def test_an_experiment_on_the_vae_trains_its_network_on_its_data(dataset: Path, tmp_path: Path) -> None:
    row = read_experiment("origin: Table 7\nvae: {size: tiny, disentangled: false}\ndata: {sources: [two]}", "row")
    small = {name: value for name, value in SMALL_VAE.items() if name != "model.disentangled"}
    result = train_experiment(row, dataset, tmp_path / "run", overrides=TINY_STEPS | small, device="cpu")
    assert result.steps_done == 2
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert settings["model"]["disentangled"] is False
    assert settings["data"]["sources"] == ["two"]
    assert settings["data"]["tiers"] == list(vae_config("tiny").data.tiers)


ROWS = {
    "objective: regression": {"objective": "regression"},
    "pose: {enabled: false}": {"pose": {"enabled": False}},
    "backbone: transformer": {"backbone": "transformer"},
    "cond: {speech: cross, ref: add}": {"cond": {"speech": "cross", "ref": "add"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("change", ROWS)
def test_an_experiment_on_the_diffusion_model_trains_what_its_row_changes(
    change: str, dataset: Path, vae_run: Path, tmp_path: Path
) -> None:
    text = f"origin: Table 6\nvae: {{size: tiny}}\ndiffusion: {{size: tiny, {change}}}\ndata: {{sources: [one]}}"
    row = read_experiment(text, "row")
    run = tmp_path / "run"
    result = train_experiment(row, dataset, run, vae=vae_run, overrides=TINY_STEPS, device="cpu")
    assert result.steps_done == 2
    assert "train, 3 clips: motion correlates" in str(result)  # three of four are of this source
    model = json.loads((run / "run.json").read_text())["settings"]["model"]
    for name, value in ROWS[change].items():
        assert (model[name] | value if isinstance(value, dict) else value) == model[name]
    # the row's VAE is the tiny one, the run's another
    assert len(result.notes) == 1
    assert f"the VAE in {vae_run} is not that of Table 6: " in result.notes[0]
    assert "width is 4, there 16" in result.notes[0]


def test_an_experiment_that_was_trained_on_another_kind_of_latents_is_refused(
    dataset: Path, vae_run: Path, tmp_path: Path
) -> None:
    text = "origin: x\nvae: {size: tiny, disentangled: false}\ndiffusion: {size: tiny, target: frame_latent}"
    with pytest.raises(ValueError, match="this VAE was built with disentangled=True"):
        train_experiment(read_experiment(text, "row"), dataset, tmp_path / "run", vae=vae_run, device="cpu")


def test_an_experiment_needs_the_latents_of_its_vae(
    make_clips: Callable[..., Path], vae_run: Path, tmp_path: Path
) -> None:
    bare = make_clips(tmp_path / "bare", {"video": "a", "n_frames": 80})
    with pytest.raises(LatentsError, match="gaia-train latents"):
        train_experiment("table6_without_diffusion", bare, tmp_path / "run", vae=vae_run, device="cpu")

"""Generation with what each experiment of the paper's tables trains, both networks at size `tiny`."""

import shutil
from importlib import resources
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import yaml
from helpers.tiny_clip import write_tiny_clip

import generation
from generation import GenerationError
from generation.trained_run import load_run
from manifests.files.tables import read_table
from manifests.packing.relabel import ClipLabels, relabel_clips
from models.face_motion import appearance_of, decoded_frames, reference_motion
from models.pixels import to_float, to_uint8
from training import encode_latents, encode_texts, read_experiment, train_experiment, train_vae
from training.experiments.experiment import Experiment, experiment_names

FEW = ("train.steps=1", "train.batch=2", "train.micro_batch=2", "train.tensorboard=false")


def _tiny(name: str) -> Experiment:
    """Return the experiment with both networks at size `tiny`, on all clips."""
    content = yaml.safe_load((resources.files("training.experiments") / f"{name}.yaml").read_text(encoding="utf-8"))
    sections = {section: values | {"size": "tiny"} for section, values in content.items() if isinstance(values, dict)}
    return read_experiment(yaml.safe_dump({**content, **sections, "data": {}}), name)


def _different() -> list[str]:
    """Return the experiments that differ in their networks at size `tiny`: of rows that differ in size or data, one."""
    rows = [_tiny(name) for name in experiment_names()]
    first = {(repr(row.vae), repr(row.diffusion), row.is_measured): row.name for row in reversed(rows)}
    return sorted(first.values())


@pytest.fixture(scope="module")
def dataset(curated_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the curated sample with made instructions, to which latents are added."""
    dataset = Path(shutil.copytree(curated_sample, tmp_path_factory.mktemp("data") / "dataset"))
    clips = sorted(read_table(dataset, "clips", ["clip_id"])["clip_id"].to_pylist())
    relabel_clips(dataset, ClipLabels(instructions={clip: ("smile", "nod")[n % 2] for n, clip in enumerate(clips)}))
    encode_texts(dataset, str(write_tiny_clip(dataset.parent / "tiny-clip")), device="cpu")
    return dataset


@pytest.fixture(scope="module")
def vae_runs(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Runs of the VAE, by whether appearance and motion are disentangled, with their latents."""
    runs = {}
    for disentangled in (True, False):
        runs[disentangled] = tmp_path_factory.mktemp("vae") / "run"
        overrides = [*FEW, "check_pairs=0", f"model.disentangled={str(disentangled).lower()}"]
        train_vae(dataset, runs[disentangled], size="tiny", overrides=overrides, device="cpu")
        encode_latents(dataset, runs[disentangled], device="cpu")
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("name", _different())
def test_what_an_experiment_trains_makes_a_video_or_is_refused_in_a_sentence(
    name: str, dataset: Path, vae_runs: dict[bool, Path], portrait: Path, speech: Path, tmp_path: Path
) -> None:
    row, run, out = _tiny(name), tmp_path / "run", tmp_path / "out.mp4"
    if row.diffusion is None:
        train_experiment(row, dataset, run, overrides=[*FEW, "check_pairs=0"], device="cpu")
        with pytest.raises(GenerationError, match="a run of the VAE alone, which speech cannot drive"):
            generation.talking_video(run, portrait=portrait, speech=speech, out=out)
        return
    vae = vae_runs[row.vae.disentangled]
    train_experiment(row, dataset, run, vae=vae, overrides=[*FEW, "check_clips=0"], device="cpu")
    if row.is_measured:
        made = generation.talking_video(run, portrait=portrait, speech=speech, out=out, device="cpu")
    else:
        encoder = str(dataset.parent / "tiny-clip")
        made = generation.talking_video(
            run, portrait=portrait, text="smile", text_encoder=encoder, seconds=1.28, out=out, device="cpu"
        )
    assert made.n_frames == 32
    with av.open(str(out)) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert np.stack(frames).shape == (32, 64, 64, 3)


@pytest.mark.slow
def test_latents_without_disentanglement_are_decoded_alone(vae_runs: dict[bool, Path]) -> None:
    run = load_run(vae_runs[False], "cpu")
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    latent_CHW = reference_motion(run, image, np.full((478, 2), np.nan, np.float32))
    assert latent_CHW.shape == run.vae.config.appearance_shape
    other = appearance_of(run, 255 - image)
    (frame,) = decoded_frames(run, other, latent_CHW[None])
    with torch.inference_mode():
        expected = run.vae(to_float(torch.from_numpy(image).permute(2, 0, 1)[None]), None, None).image_BCHW
    assert np.array_equal(frame, to_uint8(expected)[0])


@pytest.mark.slow
def test_a_video_cannot_drive_a_vae_without_disentanglement(
    vae_runs: dict[bool, Path], portrait: Path, tmp_path: Path
) -> None:
    # refused before the video is looked at, which is none
    with pytest.raises(GenerationError, match="without disentanglement, which takes no landmarks"):
        generation.talking_video(vae_runs[False], portrait=portrait, driving=portrait, out=tmp_path / "out.mp4")

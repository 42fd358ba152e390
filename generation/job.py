"""Generation of a talking video from a portrait, and its dry run: the library function of `gaia-generate`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from curation.perception.models import (
    face_finder_assets,
    face_landmarks,
    load_face_finder,
    load_perception,
    perception_assets,
)
from curation.settings import CurationSettings
from curation.speech.models import load_speech, speech_assets
from foundation.array_types import RgbImage
from foundation.devices import resolve_device, torch_device
from foundation.packages import DISTRIBUTION
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.digest import file_sha256
from foundation.weights import ensure_assets
from generation.animation import Animation, features_of, from_speech, from_video, require_landmark_driven, speech_driven
from generation.driving import read_driving
from generation.mp4 import talking_mp4
from generation.networks import FRAMES_AT_ONCE
from generation.outcome import GeneratedVideo, GenerationResult
from generation.portrait import Portrait, read_portrait
from generation.request import GenerationJob, MotionOptions
from generation.speech import MUX_RATE_HZ, read_speech
from generation.trained_run import GenerationError, TrainedRun, load_run
from manifests.timeline import TICK_RATE_HZ
from models.sampling.long_audio import windows
from models.sampling.samplers import SamplerName

if TYPE_CHECKING:
    from torch import nn

__all__ = ["COMMENT", "Progress", "progress_bar", "talking_video"]

Progress = Callable[[Iterable[RgbImage], int], Iterable[RgbImage]]
"""Passes on frames of a known number, and may show how many were made."""

COMMENT = "AI-generated talking video, not a recording of a person. Made with gaia-avatar from one picture."
"""Stands in the container's `comment`, which players show."""

_DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that a trained model made."""


def progress_bar(frames: Iterable[RgbImage], n_frames: int) -> Iterable[RgbImage]:
    """Return `frames`, of which `n_frames` will come; a bar on stderr shows how many did, where it is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stderr)
    return track(frames, "frames", n_frames, console=console, transient=True, disable=not console.is_terminal)


def talking_video(
    run: str | Path,
    *,
    portrait: str | Path,
    out: str | Path,
    speech: str | Path | None = None,
    driving: str | Path | None = None,
    sampler: SamplerName = "dpmpp_2m",
    steps: int | None = None,
    guidance: float = 1.0,
    temperature: float = 1.0,
    seed: int = 0,
    variants: int = 1,
    face: int | None = None,
    device: str = "auto",
    dry_run: bool = False,
    progress: Progress = progress_bar,
) -> GenerationResult:
    """Make a talking video of a portrait, driven by speech or by the face of another video.

    Args:
        run: folder of a training run: of the diffusion model, or for `driving` of the VAE alone.
        portrait: image of a person.
        out: MP4 file to write; its folder is made where it is missing.
        speech: audio file; either it or `driving` is given.
        driving: video with the face motion that the portrait follows.
        sampler: solver of the reverse process, for `speech`: dpmpp_2m, sde_em, ode_heun or ode_euler_mid.
        steps: times of its grid; None: as many as suit it.
        guidance: weight of the speech, 0 or more; 1 is as in training.
        temperature: divisor of the initial noise; above 1 the motion is calmer.
        seed: of the motion; the same seed gives the same video.
        variants: number of videos, of seeds from `seed` on. Several are named after `out` and their seed.
        face: which face of the portrait, from 1 for the widest on; None: it shows one.
        device: auto, cpu, cuda or cuda:K.
        dry_run: read run, portrait and speech, and return what would be done; nothing is written.
        progress: passes the frames of each video on while they are made.

    Raises:
        GenerationError: the portrait, the speech, the driving video, the run or an option cannot be used.
        RunFolderError: `run` is no run, or has no checkpoint yet.
        AssetError: weights that the training data was made with are not on this machine.
        OSError: a file cannot be written; what was there before is left.
    """
    job = GenerationJob(
        run=Path(run),
        portrait=Path(portrait),
        out=Path(out),
        speech=None if speech is None else Path(speech),
        driving=None if driving is None else Path(driving),
        motion=MotionOptions(sampler=sampler, steps=steps, guidance=guidance, temperature=temperature),
        seed=seed,
        variants=variants,
        face=face,
        device=device,
    )
    trained = _loaded(job)
    ensure_assets(_assets(job, trained.curation))
    if dry_run:
        return GenerationResult(out=job.out, plan=tuple(_plan(job, trained)))
    animations = _animations(job, trained)
    return GenerationResult(
        out=job.out,
        videos=tuple(
            _written(job, trained, animation, seed, path, progress)
            for (seed, path), animation in zip(job.videos(), animations, strict=True)
        ),
    )


def _written(
    job: GenerationJob, run: TrainedRun, animation: Animation, seed: int, path: Path, progress: Progress
) -> GeneratedVideo:
    """Write the video of one seed."""
    frames = progress(animation.frames, animation.n_frames)
    used_seed = seed if job.speech is not None else None
    content = talking_mp4(frames, run.size_px, animation.audio_48k, MUX_RATE_HZ, _tags(job, run, used_seed))
    write_bytes_atomic(path, content)
    return GeneratedVideo(path=path, n_frames=animation.n_frames, seed=used_seed)


def _plan(job: GenerationJob, run: TrainedRun) -> list[str]:
    """Return what would be done, one line each."""
    portrait = _portrait(job, run)
    lines = [
        f"run: {run.label}, landmarks {run.facts.landmark_scheme}, speech encoder {run.facts.speech_encoder}",
        f"VAE: {_millions(run.vae)}, pictures of {run.size_px} x {run.size_px} px",
        f"portrait: face {portrait.face_width_px:.0f} px wide, shown {_shown_width_px(portrait):.0f} px wide",
    ]
    if job.speech is not None and run.motion is not None:
        speech = read_speech(job.speech)
        n_frames = speech.n_frames
        chosen = "" if speech.track is None else f", audio track {speech.track}"
        solver = job.motion.solver
        places = windows(n_frames, job.motion.sampling.long_audio)
        sampled = f"{len(places)} windows of {places[0].stop} frames, {solver.steps} steps of {solver.name}"
        lines += [
            f"speech: {n_frames} frames, {float(n_frames / TICK_RATE_HZ):.2f} s{chosen}",
            f"motion: {_millions(run.motion)}, {sampled}, {run.motion.config.target_dims} numbers a frame",
        ]
    return [*lines, f"memory: about {_memory_gib(run):.1f} GiB in addition to the libraries", f"out: {job.out}"]


def _loaded(job: GenerationJob) -> TrainedRun:
    """Return the run, made sure that its networks take what is to drive them, and the landmarks of its dataset.

    Raises:
        GenerationError: they do not.
    """
    run = load_run(job.run, torch_device(resolve_device(job.device)))
    if job.speech is not None:
        speech_driven(run)
    else:
        require_landmark_driven(run)
    scheme = face_landmarks(run.curation.perception).name
    if scheme != run.facts.landmark_scheme:
        raise GenerationError(
            f"{run.label} was trained on landmarks {run.facts.landmark_scheme!r}, but perception.faces="
            f"{run.curation.perception.faces} in its dataset.json gives {scheme!r}; put the dataset.json of its own "
            "dataset there"
        )
    return run


def _animations(job: GenerationJob, run: TrainedRun) -> Iterator[Animation]:
    """Yield the animation of each seed; portrait, speech and models are read once."""
    settings = run.curation
    portrait = _portrait(job, run)
    if job.driving is not None:
        perception = load_perception(settings.perception)
        yield from_video(run, portrait, read_driving(job.driving, perception, settings, run.size_px))
        return
    if job.speech is None:
        raise RuntimeError("a job is driven by speech or by a video")
    spoken = features_of(run, read_speech(job.speech), load_speech(settings.speech.without_transcript))
    for seed, _ in job.videos():
        yield from_speech(run, portrait, spoken, sampling=job.motion.sampling, seed=seed)


def _assets(job: GenerationJob, settings: CurationSettings) -> list[str]:
    """Return the names of the weights that are used: a driving video is measured as a video is by curation."""
    if job.driving is not None:
        return perception_assets(settings.perception)
    return [*face_finder_assets(settings.perception), *speech_assets(settings.speech.without_transcript)]


def _portrait(job: GenerationJob, run: TrainedRun) -> Portrait:
    finder = load_face_finder(run.curation.perception)
    return read_portrait(job.portrait, finder, run.curation, run.size_px, job.face)


def _tags(job: GenerationJob, run: TrainedRun, seed: int | None) -> dict[str, str]:
    """Return the metadata of the file: a sentence for people and an object for programs."""
    sources = {"portrait": job.portrait, "speech": job.speech, "driving": job.driving}
    facts = {
        "digital_source_type": _DIGITAL_SOURCE_TYPE,
        "software": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        "run": run.label,
        "seed": seed,
        **({} if seed is None else {"sampling": asdict(job.motion)}),
        "sha256": {name: file_sha256(path) for name, path in sources.items() if path is not None},
    }
    return {"comment": COMMENT, "description": json.dumps(facts, allow_nan=False)}


def _memory_gib(run: TrainedRun) -> float:
    """Return what the weights take, and at full resolution the decoder: four layers of as many channels at a time."""
    networks = [run.vae] if run.motion is None else [run.vae, run.motion]
    weights = sum(parameter.numel() for network in networks for parameter in network.parameters())
    layers = 4 * FRAMES_AT_ONCE * run.vae.config.width * run.size_px**2
    return 4 * (weights + layers) / 2**30


def _millions(network: "nn.Module") -> str:
    return f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.2f}M parameters"


def _shown_width_px(portrait: Portrait) -> float:
    xs = portrait.landmarks_px[:, 0]
    return float(xs.max() - xs.min())

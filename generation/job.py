"""Generation of a talking video from a portrait, and its dry run: the library function of `gaia-generate`."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
from generation.animation import Animation, from_speech, from_video, require_landmark_driven, speech_driven
from generation.driving import read_driving
from generation.mp4 import talking_mp4
from generation.portrait import Portrait, read_portrait
from generation.speech import MUX_RATE_HZ, read_speech
from generation.trained_run import GenerationError, TrainedRun, load_run
from manifests.timeline import TICK_RATE_HZ
from models.face_motion import FRAMES_AT_ONCE
from models.generated_media import COMMENT, DIGITAL_SOURCE_TYPE
from models.sampling.long_audio import windows
from models.sampling.sample_motion import MotionSampling
from models.sampling.samplers import SamplerConfig

if TYPE_CHECKING:
    from torch import nn

__all__ = ["COMMENT", "GenerationJob", "GenerationResult", "Progress", "progress_bar", "talking_video"]

Progress = Callable[[Iterable[RgbImage], int], Iterable[RgbImage]]
"""Passes on frames of a known number, and may show how many were made."""

_SOLVER = SamplerConfig()

_SAMPLING = MotionSampling(solver=_SOLVER)


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationJob:
    """Inputs of a generated video; either `speech` or `driving` is given."""

    run: Path
    portrait: Path
    out: Path
    speech: Path | None = None
    driving: Path | None = None
    seed: int = 0
    face: int | None = None
    """Number of the face in the portrait, from 1 for the widest; None: the portrait has one face."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if (self.speech is None) == (self.driving is None):
            given = "neither --speech nor --driving" if self.speech is None else "both --speech and --driving"
            raise GenerationError(f"{given} was given; give the one that shall drive the portrait")
        if self.out.suffix.lower() != ".mp4":
            raise GenerationError(f"--out is {self.out}; give a name that ends in .mp4")


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationResult:
    """Video that was made, or the plan of one; `str` of it is a report for people."""

    out: Path
    """MP4 file."""
    n_frames: int | None
    """Number of frames, 25 a second; None after a dry run, which writes nothing."""
    plan: tuple[str, ...] = ()
    """Lines of a dry run: run, networks, portrait, speech, memory."""

    @property
    def duration_s(self) -> float | None:
        """Length; None after a dry run."""
        return None if self.n_frames is None else float(self.n_frames / TICK_RATE_HZ)

    def __str__(self) -> str:
        """Return the report."""
        if self.n_frames is None:
            return "\n".join(self.plan)
        return f"{self.out}: {self.n_frames} frames, {self.duration_s:.2f} s"

    def __repr__(self) -> str:
        return "\n  ".join(["GenerationResult:", *str(self).splitlines()])


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
    seed: int = 0,
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
        seed: of the motion; the same seed gives the same video.
        face: which face of the portrait, from 1 for the widest on; None: it shows one.
        device: auto, cpu, cuda or cuda:K.
        dry_run: read run, portrait and speech, and return what would be done; nothing is written.
        progress: passes the frames on while they are made.

    Raises:
        GenerationError: the portrait, the speech, the driving video or the run cannot be used.
        RunFolderError: `run` is no run, or has no checkpoint yet.
        AssetError: weights that the training data was made with are not on this machine.
        OSError: the file cannot be written; what was there before is left.
    """
    job = GenerationJob(
        run=Path(run),
        portrait=Path(portrait),
        out=Path(out),
        speech=None if speech is None else Path(speech),
        driving=None if driving is None else Path(driving),
        seed=seed,
        face=face,
        device=device,
    )
    if dry_run:
        return GenerationResult(out=job.out, n_frames=None, plan=tuple(_plan(job)))
    trained = _loaded(job)
    animation = _animation(job, trained)
    frames = progress(animation.frames, animation.n_frames)
    content = talking_mp4(frames, trained.size_px, animation.audio_48k, MUX_RATE_HZ, _tags(job, trained))
    write_bytes_atomic(job.out, content)
    return GenerationResult(out=job.out, n_frames=animation.n_frames)


def _plan(job: GenerationJob) -> list[str]:
    """Return what would be done, one line each."""
    run = _loaded(job)
    ensure_assets(_assets(job, run.curation))
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
        places = windows(n_frames, _SAMPLING.long_audio)
        sampled = f"{len(places)} windows of {places[0].stop} frames, {_SOLVER.steps} steps"
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


def _animation(job: GenerationJob, run: TrainedRun) -> Animation:
    settings = run.curation
    ensure_assets(_assets(job, settings))
    portrait = _portrait(job, run)
    if job.driving is not None:
        perception = load_perception(settings.perception)
        return from_video(run, portrait, read_driving(job.driving, perception, settings, run.size_px))
    if job.speech is None:
        raise RuntimeError("a job is driven by speech or by a video")
    speech = read_speech(job.speech)
    models = load_speech(settings.speech.without_transcript)
    return from_speech(run, portrait, speech, models, sampling=_SAMPLING, seed=job.seed)


def _assets(job: GenerationJob, settings: CurationSettings) -> list[str]:
    """Return the names of the weights that are used: a driving video is measured as a video is by curation."""
    if job.driving is not None:
        return perception_assets(settings.perception)
    return [*face_finder_assets(settings.perception), *speech_assets(settings.speech.without_transcript)]


def _portrait(job: GenerationJob, run: TrainedRun) -> Portrait:
    finder = load_face_finder(run.curation.perception)
    return read_portrait(job.portrait, finder, run.curation, run.size_px, job.face)


def _tags(job: GenerationJob, run: TrainedRun) -> dict[str, str]:
    """Return the metadata of the file: a sentence for people and an object for programs."""
    sources = {"portrait": job.portrait, "speech": job.speech, "driving": job.driving}
    facts = {
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "software": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        "run": run.label,
        "seed": job.seed if job.speech is not None else None,
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

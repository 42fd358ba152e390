"""One call of `gaia-generate`: what it is given, what it would do, and doing it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from curation.perception.models import FACE_FINDERS, load_face_finder, load_perception, perception_assets
from curation.settings import CurationSettings
from curation.speech.models import load_speech, speech_assets
from foundation.array_types import RgbImage
from foundation.devices import resolve_device, torch_device
from foundation.packages import DISTRIBUTION
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.digest import file_sha256
from foundation.weights import ensure_assets
from generation.driving import read_driving
from generation.mp4 import talking_mp4
from generation.networks import FRAMES_AT_ONCE
from generation.portrait import Portrait, read_portrait
from generation.speech import MUX_RATE_HZ, read_speech
from generation.talking_video import TalkingVideo, from_speech, from_video
from generation.trained_run import GenerationError, TrainedRun, load_run
from manifests.timeline import TICK_RATE_HZ
from models.sampling.long_audio import windows
from models.sampling.sample_motion import MotionSampling
from models.sampling.samplers import SamplerConfig

if TYPE_CHECKING:
    from torch import nn

__all__ = ["COMMENT", "GenerationJob", "describe", "generate"]

COMMENT = "AI-generated talking video, not a recording of a person. Made with gaia-avatar from one picture."
"""Stands in the container's `comment`, which players show."""

_DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that a trained model made."""

_SOLVER = SamplerConfig()

_SAMPLING = MotionSampling(solver=_SOLVER)


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationJob:
    """What a video is made of; either `speech` or `driving` is given."""

    run: Path
    portrait: Path
    out: Path
    speech: Path | None = None
    driving: Path | None = None
    seed: int = 0
    face: int | None = None
    """Which face of the portrait, from 1 for the widest on; None: it shows one."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if (self.speech is None) == (self.driving is None):
            given = "neither --speech nor --driving" if self.speech is None else "both --speech and --driving"
            raise GenerationError(f"{given} was given; give the one that shall drive the portrait")
        if self.out.suffix.lower() != ".mp4":
            raise GenerationError(f"--out is {self.out}; give a name that ends in .mp4")


def describe(job: GenerationJob) -> list[str]:
    """Return what `generate` would do, one line each; reads run, portrait and speech, and makes nothing.

    Raises:
        GenerationError: as of `generate`, but for what only the driving video's pictures can tell.
    """
    run = _loaded(job)
    ensure_assets(_assets(job, run.curation))
    portrait = _portrait(job, run)
    lines = [
        f"run: {run.label}, landmarks {run.facts.landmark_scheme}, speech encoder {run.facts.speech_encoder}",
        f"VAE: {_millions(run.vae)}, pictures of {run.size_px} x {run.size_px} px",
        f"portrait: face {portrait.face_width_px:.0f} px wide, shown {_shown_width_px(portrait):.0f} px wide",
    ]
    if job.speech is not None and run.motion is not None:
        n_frames = read_speech(job.speech).n_frames
        places = windows(n_frames, _SAMPLING.long_audio)
        sampled = f"{len(places)} windows of {places[0].stop} frames, {_SOLVER.steps} steps"
        lines += [
            f"speech: {n_frames} frames, {float(n_frames / TICK_RATE_HZ):.2f} s",
            f"motion: {_millions(run.motion)}, {sampled}, {run.motion.config.target_dims} numbers a frame",
        ]
    return [*lines, f"memory: about {_memory_gib(run):.1f} GiB beside that of the libraries", f"out: {job.out}"]


def generate(job: GenerationJob, watch: Callable[[Iterable[RgbImage], int], Iterable[RgbImage]]) -> str:
    """Make the video and write it; return a line that says what came out.

    Args:
        job: what it is made of.
        watch: passes the pictures on; it is told their number and may show how far they are.

    Raises:
        GenerationError: the run, the portrait, the speech or the driving video cannot be used.
        AssetError: weights that the training data was made with are not on this machine.
        OSError: the file cannot be written; what was there before is left.
    """
    run = _loaded(job)
    video = _video(job, run)
    pictures = watch(video.pictures, video.n_frames)
    content = talking_mp4(pictures, run.size_px, video.audio_48k, MUX_RATE_HZ, _tags(job, run))
    write_bytes_atomic(job.out, content)
    return f"{job.out}: {video.n_frames} frames, {float(video.n_frames / TICK_RATE_HZ):.2f} s"


def _loaded(job: GenerationJob) -> TrainedRun:
    """Return the run, made sure that the faces of its dataset have the landmarks that it was trained on."""
    run = load_run(job.run, torch_device(resolve_device(job.device)))
    faces = run.curation.perception.faces
    if FACE_FINDERS[faces].scheme != run.facts.landmark_scheme:
        raise GenerationError(
            f"{run.label} was trained on landmarks {run.facts.landmark_scheme!r}, but perception.faces={faces} in its "
            f"dataset.json gives {FACE_FINDERS[faces].scheme!r}; put the dataset.json of its own dataset there"
        )
    return run


def _video(job: GenerationJob, run: TrainedRun) -> TalkingVideo:
    settings = run.curation
    ensure_assets(_assets(job, settings))
    portrait = _portrait(job, run)
    if job.driving is not None:
        perception = load_perception(settings.perception)
        return from_video(run, portrait, read_driving(job.driving, perception, settings, run.size_px))
    if job.speech is None:
        raise RuntimeError("a job is driven by speech or by a video")
    speech = read_speech(job.speech)
    return from_speech(run, portrait, speech, load_speech(settings.speech), sampling=_SAMPLING, seed=job.seed)


def _assets(job: GenerationJob, settings: CurationSettings) -> list[str]:
    """Return the names of the weights that are used: a driving video is measured as a video is by curation."""
    if job.driving is not None:
        return list(perception_assets(settings.perception))
    faces = settings.perception.faces
    detector = [settings.perception.scrfd] if faces == "scrfd" else []
    return [*FACE_FINDERS[faces].assets, *detector, *speech_assets(settings.speech)]


def _portrait(job: GenerationJob, run: TrainedRun) -> Portrait:
    finder = load_face_finder(run.curation.perception)
    return read_portrait(job.portrait, finder, run.curation, run.size_px, job.face)


def _tags(job: GenerationJob, run: TrainedRun) -> dict[str, str]:
    """Return what the file says of itself: a sentence for people and an object for programs."""
    sources = {"portrait": job.portrait, "speech": job.speech, "driving": job.driving}
    facts = {
        "digital_source_type": _DIGITAL_SOURCE_TYPE,
        "software": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        "run": run.label,
        "seed": job.seed if job.speech is not None else None,
        "sha256": {name: file_sha256(path) for name, path in sources.items() if path is not None},
    }
    return {"comment": COMMENT, "description": json.dumps(facts)}


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

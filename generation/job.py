"""Generation of a talking video from a portrait, and its dry run: the library function of `gaia-generate`."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from curation.media.mark.embedding import marked
from curation.perception.models import load_perception
from curation.speech.models import load_speech
from foundation.array_types import Float32Array, RgbImage
from foundation.packages import DISTRIBUTION
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.digest import file_sha256
from foundation.weights import ensure_assets
from generation.animation import Animation, features_of, from_speech, from_video
from generation.backdrop import Backdrop
from generation.driving import read_driving
from generation.mark_of_job import described
from generation.mp4 import talking_mp4
from generation.outcome import GeneratedVideo, GenerationResult
from generation.planned import plan_lines
from generation.portrait import Portrait
from generation.pose_check import PoseAgreement
from generation.pose_track import PoseChoice
from generation.prepared import asked_poses, backdrop_of, heads_of, loaded_run, needed_assets, portrait_of
from generation.request import GenerationJob, MotionOptions, face_number
from generation.speech import MUX_RATE_HZ, read_speech
from generation.trained_run import TrainedRun
from models.generated_media import COMMENT, DIGITAL_SOURCE_TYPE
from models.sampling.samplers import SamplerName

__all__ = ["COMMENT", "Progress", "progress_bar", "talking_video"]

Progress = Callable[[Iterable[RgbImage], int], Iterable[RgbImage]]
"""Passes on frames of a known number, and may show how many were made."""


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
    pose: str | Path = "predict",
    pose_amplitude: float = 1.0,
    pose_offset: str = "",
    sampler: SamplerName = "dpmpp_2m",
    steps: int | None = None,
    guidance: float = 1.0,
    temperature: float = 1.0,
    seed: int = 0,
    variants: int = 1,
    face: int | str | None = None,
    keep_background: bool = False,
    no_mark: str | None = None,
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
        pose: head poses, for `speech`: "predict" by the network, "still" as in the portrait, a CSV or Parquet file with
            columns pitch, yaw and roll in degrees and a row a frame, a video whose poses are measured, or formulas such
            as "yaw=0,pitch=5*sin(2pi t/4)".
        pose_amplitude: factor of their deviations from their mean.
        pose_offset: formulas of degrees that are added to them, such as "yaw=10".
        sampler: solver of the reverse process, for `speech`: dpmpp_2m, sde_em, ode_heun or ode_euler_mid.
        steps: times of its grid; None: as many as suit it.
        guidance: weight of the speech, 0 or more; 1 is as in training.
        temperature: divisor of the initial noise; above 1 the motion is calmer.
        seed: of the motion; the same seed gives the same video.
        variants: number of videos, of seeds from `seed` on. Several are named after `out` and their seed.
        face: which face of the portrait, from 1 for the widest on, or "largest"; None: it shows one.
        keep_background: show the whole picture of the portrait, at most 1920 pixels wide or high, and not the square
            around its face.
        no_mark: why the pictures get no invisible mark, a text for the tags of the file; None: they get one.
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
        pose=PoseChoice(source=str(pose), amplitude=pose_amplitude, offset=pose_offset),
        seed=seed,
        variants=variants,
        face=face_number(face),
        keep_background=keep_background,
        no_mark=no_mark,
        device=device,
    )
    trained = loaded_run(job)
    ensure_assets(needed_assets(job, trained.curation))
    face_of = portrait_of(job, trained)
    notes = face_of.notes  # before a video is written: what fails afterwards would leave one and an error
    if dry_run:
        return GenerationResult(out=job.out, plan=tuple(plan_lines(job, trained, face_of)), notes=notes)
    backdrop = backdrop_of(trained, face_of) if job.keep_background else None
    animations = _animations(job, trained, face_of)
    return GenerationResult(
        out=job.out,
        videos=tuple(
            _written(job, trained, animation, backdrop, seed, path, progress)
            for (seed, path), animation in zip(job.videos(), animations, strict=True)
        ),
        notes=notes,
    )


def _written(
    job: GenerationJob,
    run: TrainedRun,
    animation: Animation,
    backdrop: Backdrop | None,
    seed: int,
    path: Path,
    progress: Progress,
) -> GeneratedVideo:
    """Write the video of one seed, and measure its head poses where some were asked for."""
    measured_deg: list[Float32Array] = []
    asked_deg, frames = animation.asked_deg, animation.frames
    if asked_deg is not None:
        frames = heads_of(run).watched(frames, measured_deg)
    height_px, width_px = run.size_px, run.size_px
    if backdrop is not None:
        height_px, width_px = backdrop.picture.shape[:2]
        frames = map(backdrop.with_face, frames)
    used_seed = seed if job.speech is not None else None
    facts = _facts(job, run, used_seed)
    description, mark_id = described(facts, job.no_mark)
    if mark_id is not None:
        frames = marked(frames, mark_id)
    content = talking_mp4(
        progress(frames, animation.n_frames),
        width_px,
        animation.audio_48k,
        MUX_RATE_HZ,
        {"comment": COMMENT, "description": description},
        height_px=height_px,
    )
    pose = None if asked_deg is None else PoseAgreement(asked_deg=asked_deg, measured_deg=np.stack(measured_deg))
    made = GeneratedVideo(path=path, n_frames=animation.n_frames, seed=used_seed, mark_id=mark_id, pose=pose)
    write_bytes_atomic(path, content)
    return made


def _animations(job: GenerationJob, run: TrainedRun, portrait: Portrait) -> Iterator[Animation]:
    """Yield the animation of each seed; speech and models are read once."""
    settings = run.curation
    if job.driving is not None:
        perception = load_perception(settings.perception)
        yield from_video(run, portrait, read_driving(job.driving, perception, settings, run.size_px))
        return
    if job.speech is None:
        raise RuntimeError("a job is driven by speech or by a video")
    speech = read_speech(job.speech)
    pose_deg = asked_poses(job, run, portrait, speech.n_frames)
    spoken = features_of(run, speech, load_speech(settings.speech.without_transcript))
    sampling = replace(job.motion.sampling, sde=run.sde)
    for seed, _ in job.videos():
        yield from_speech(run, portrait, spoken, sampling=sampling, seed=seed, pose_deg=pose_deg)


def _facts(job: GenerationJob, run: TrainedRun, seed: int | None) -> dict[str, object]:
    """Return what the metadata of the file tells programs."""
    sources = {"portrait": job.portrait, "speech": job.speech, "driving": job.driving}
    return {
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "software": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        "run": run.label,
        "seed": seed,
        **({} if seed is None else {"sampling": asdict(job.motion), "pose": job.pose.kind}),
        "sha256": {name: file_sha256(path) for name, path in sources.items() if path is not None},
    }

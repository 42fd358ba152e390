"""Generation of a talking video from a portrait, and its dry run: the library function of `gaia-generate`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from foundation.array_types import Float32Array, RgbImage
from foundation.packages import DISTRIBUTION
from foundation.storage.atomic import replacing
from foundation.storage.digest import file_sha256
from foundation.weights import ensure_assets
from generation.animation import Animation, features_of, from_speech, from_text, from_video
from generation.backdrop import Backdrop
from generation.content_credentials import Signing, signing_of
from generation.driving import DrivingVideo, read_driving
from generation.editing.choice import edit_choice
from generation.editing.edited import edited
from generation.editing.landmark_check import watched_landmarks
from generation.editing.source_video import edited_video
from generation.instruction import instruction_states
from generation.mp4 import write_talking_mp4
from generation.outcome import GeneratedVideo, GenerationResult
from generation.planned import plan_lines
from generation.portrait import Portrait
from generation.pose_check import PoseAgreement
from generation.pose_track import PoseChoice
from generation.prepared import asked_poses, backdrop_of, loaded_run, needed_assets, portrait_of
from generation.request import GenerationJob, MotionOptions, face_number
from generation.speech import MUX_RATE_HZ, read_speech
from generation.trained_run import TrainedRun
from manifests.generated_media import COMMENT, DIGITAL_SOURCE_TYPE
from manifests.landmarks import landmark_scheme
from models.sampling.editing import EditMethod
from models.sampling.guidance import GUIDANCE
from models.sampling.samplers import SamplerName

__all__ = ["COMMENT", "Progress", "made_videos", "progress_bar", "talking_video"]

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
    portrait: str | Path | None = None,
    out: str | Path,
    speech: str | Path | None = None,
    driving: str | Path | None = None,
    edit: str | Path | None = None,
    dub: str | Path | None = None,
    edit_method: EditMethod = "mask_cond",
    text: str | None = None,
    text_encoder: str | None = None,
    seconds: float = 4.0,
    pose: str | Path = "predict",
    pose_amplitude: float = 1.0,
    pose_offset: str = "",
    sampler: SamplerName = "dpmpp_2m",
    steps: int | None = None,
    guidance: float | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    variants: int = 1,
    face: int | str | None = None,
    keep_background: bool = False,
    credentials: tuple[str | Path, str | Path] | None = None,
    device: str = "auto",
    dry_run: bool = False,
    progress: Progress = progress_bar,
) -> GenerationResult:
    """Make a talking video of a portrait, driven by speech, by the face of another video or by an instruction.

    Args:
        run: folder of a training run: of the diffusion model, or for `driving` of the VAE alone.
        portrait: image of a person; None with `dub`.
        out: MP4 file to write; its folder is made where it is missing.
        speech: audio file; either it or `driving` is given.
        driving: video with the face motion that the portrait follows.
        edit: video whose face motion the portrait follows but for mouth and jaw, which follow `speech`; at least as
            long as it.
        dub: video whose face itself speaks `speech` in its own picture; at least as long as it.
        edit_method: how its landmarks are given to the network: mask_cond, repaint, guided or replace.
        text: instruction such as "please smile", in place of both; empty: motion without an instruction.
        text_encoder: folder of the text encoder that the run was trained with, or its name among the user's models;
            None: looked for by the name that the run recorded.
        seconds: length of the video that `text` drives, 1 to 10.
        pose: head poses, for `speech`: "predict" by the network, "still" as in the portrait, a CSV or Parquet file with
            columns pitch, yaw and roll in degrees and a row a frame, a video whose poses are measured, or formulas such
            as "yaw=0,pitch=5*sin(2pi t/4)".
        pose_amplitude: factor of their deviations from their mean.
        pose_offset: formulas of degrees that are added to them, such as "yaw=10".
        sampler: solver of the reverse process, for `speech`: dpmpp_2m, sde_em, ode_heun or ode_euler_mid.
        steps: times of its grid; None: as many as suit it.
        guidance: weight of the speech or text, 0 or more; 1 is as in training. None: 1 of speech, 2.5 of text.
        temperature: divisor of the initial noise; above 1 the motion is calmer.
        seed: of the motion; the same seed gives the same video.
        variants: number of videos, of seeds from `seed` on. Several are named after `out` and their seed.
        face: which face of the portrait, from 1 for the widest on, or "largest"; None: it shows one.
        keep_background: show the whole picture of the portrait, at most 1920 pixels wide or high, and not the square
            around its face.
        credentials: PEM files of a certificate and of its key, by which the video is signed (Content Credentials).
        device: auto, cpu, cuda or cuda:K.
        dry_run: read run, portrait and speech, and return what would be done; nothing is written.
        progress: passes the frames of each video on while they are made.

    Raises:
        TextEncoderError: the text encoder is not on this machine.
        GenerationError: the portrait, the speech, the driving video, the run or an option cannot be used.
        RunFolderError: `run` is no run, or has no checkpoint yet.
        MissingPackageError: `credentials` are given, and c2pa-python is not installed.
        AssetError: weights that the training data was made with are not on this machine.
        OSError: a file cannot be written; what was there before is left.
    """
    default_guidance = GUIDANCE["speech"].speech if text is None else GUIDANCE["text"].text
    job = GenerationJob(
        run=Path(run),
        portrait=None if portrait is None else Path(portrait),
        out=Path(out),
        speech=None if speech is None else Path(speech),
        driving=None if driving is None else Path(driving),
        edit=edit_choice(edit, dub, edit_method),
        text=None if text is None else " ".join(text.split()),
        text_encoder=text_encoder,
        seconds=seconds,
        motion=MotionOptions(
            sampler=sampler,
            steps=steps,
            guidance=default_guidance if guidance is None else guidance,
            temperature=temperature,
        ),
        pose=PoseChoice(source=str(pose), amplitude=pose_amplitude, offset=pose_offset),
        seed=seed,
        variants=variants,
        face=face_number(face),
        keep_background=keep_background,
        credentials=None if credentials is None else (Path(credentials[0]), Path(credentials[1])),
        device=device,
    )
    signing = signing_of(job.credentials)
    trained = loaded_run(job)
    ensure_assets(needed_assets(job, trained.curation))
    return made_videos(job, trained, signing, dry_run=dry_run, progress=progress)


def made_videos(
    job: GenerationJob, run: TrainedRun, signing: Signing | None, *, dry_run: bool, progress: Progress
) -> GenerationResult:
    """Make the videos of a job, or its plan, with a run that is loaded and suits it; see `talking_video`."""
    video, cut = edited_video(job, run)
    face_of = portrait_of(job, run, video)
    notes = (*face_of.notes, *cut)  # before a video is written: what fails afterwards would leave one and an error
    if dry_run:
        signed = [] if signing is None else [f"signed by: {signing}"]
        return GenerationResult(out=job.out, plan=(*plan_lines(job, run, face_of), *signed), notes=notes)
    backdrop = backdrop_of(job, run, face_of)
    animations = _animations(job, run, face_of, video)
    return GenerationResult(
        out=job.out,
        videos=tuple(
            _written(job, run, animation, backdrop, signing, seed, path, progress)
            for (seed, path), animation in zip(job.videos(), animations, strict=True)
        ),
        notes=notes,
    )


def _written(
    job: GenerationJob,
    run: TrainedRun,
    animation: Animation,
    backdrop: Backdrop | None,
    signing: Signing | None,
    seed: int,
    path: Path,
    progress: Progress,
) -> GeneratedVideo:
    """Write the video of one seed, and measure its head poses where some were asked for."""
    measured_deg: list[Float32Array] = []
    asked_deg, frames = animation.asked_deg, animation.frames
    if asked_deg is not None:
        frames = run.measuring.heads.watched(frames, measured_deg)
    found_px: list[Float32Array] = []
    if animation.edited is not None:
        frames = watched_landmarks(frames, run.measuring.heads.finder, run.renderer.n_points, found_px)
    height_px, width_px = run.size_px, run.size_px
    if backdrop is not None:
        height_px, width_px = backdrop.picture.shape[:2]
        frames = (
            map(backdrop.with_face, frames)
            if animation.behind is None
            else map(backdrop.in_picture, frames, animation.behind)
        )
    used_seed = seed if job.driving is None else None
    facts = _facts(job, run, used_seed)
    tags = {"comment": COMMENT, "description": json.dumps(facts, allow_nan=False)}
    with replacing(path) as file:
        shown = progress(frames, animation.n_frames)
        unsigned = file if signing is None else BytesIO()
        write_talking_mp4(unsigned, shown, width_px, animation.audio_48k, MUX_RATE_HZ, tags, height_px=height_px)
        if signing is not None and isinstance(unsigned, BytesIO):
            file.write(signing.signed(unsigned.getvalue(), path.name, facts))
        pose = None if asked_deg is None else PoseAgreement(asked_deg=asked_deg, measured_deg=np.stack(measured_deg))
        edit = None
        if animation.edited is not None:
            scheme = landmark_scheme(run.facts.landmark_scheme)
            edit = animation.edited.agreement(run.size_px, scheme, np.stack(found_px))
        return GeneratedVideo(path=path, n_frames=animation.n_frames, seed=used_seed, pose=pose, edit=edit)


def _animations(
    job: GenerationJob, run: TrainedRun, portrait: Portrait, video: DrivingVideo | None
) -> Iterator[Animation]:
    """Yield the animation of each seed; speech and models are read once."""
    settings = run.curation
    if job.driving is not None:
        yield from_video(run, portrait, read_driving(job.driving, run.measuring.perception, settings, run.size_px))
        return
    sampling = replace(job.sampling, sde=run.sde)
    if job.text is not None:
        states, n_frames = instruction_states(run, job.text, job.text_encoder), job.n_frames_of_text
        for seed, _ in job.videos():
            yield from_text(run, portrait, states, n_frames=n_frames, sampling=sampling, seed=seed)
        return
    if job.speech is None:
        raise RuntimeError("a job is driven by speech, by a video or by text")
    speech = read_speech(job.speech)
    pose_deg = asked_poses(job, run, portrait, speech.n_frames)
    spoken = features_of(run, speech, run.measuring.speech)
    for seed, _ in job.videos():
        if video is not None:
            yield edited(job, run, portrait, spoken, video, sampling=sampling, seed=seed)
            continue
        yield from_speech(run, portrait, spoken, sampling=sampling, seed=seed, pose_deg=pose_deg)


def _facts(job: GenerationJob, run: TrainedRun, seed: int | None) -> dict[str, JsonValue]:
    """Return what a video was made with, as its tags and its manifest say."""
    sources = {"portrait": job.portrait, "speech": job.speech, "driving": job.driving}
    if job.edit is not None:
        sources[job.edit.option.removeprefix("--")] = job.edit.video
    return {
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "software": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        "run": run.label,
        **({} if job.text is None else {"text": job.text}),
        "seed": seed,
        **({} if seed is None else {"sampling": asdict(job.motion), "pose": job.pose.kind}),
        **({} if job.edit is None else {"edit_method": job.edit.method}),
        "sha256": {name: file_sha256(path) for name, path in sources.items() if path is not None},
    }

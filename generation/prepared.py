"""What a generation needs before its first frame: the run, its weights, the portrait, and poses or text asked for."""

from pathlib import Path

import numpy as np

from curation.perception.models import (
    face_finder_assets,
    face_landmarks,
    head_pose_assets,
    perception_assets,
)
from curation.settings import CurationSettings
from curation.speech.models import speech_assets
from foundation.array_types import Float16Array, Float32Array
from foundation.devices import resolve_device, torch_device
from generation.animation import require_landmark_driven, require_pose_driven, speech_driven, text_driven
from generation.backdrop import LONGEST_PX, Backdrop
from generation.driving import DrivingVideo, read_head_poses
from generation.editing.choice import require_editable
from generation.editing.dubbing import face_of_video
from generation.portrait import Portrait, read_portrait
from generation.pose_track import asked_pose
from generation.request import GenerationJob
from generation.trained_run import GenerationError, TrainedRun, load_run
from models.face_motion import appearance_of, decoded_frames, reference_motion
from models.text_encoder import STATE_WIDTH, TextEncoderError

__all__ = [
    "asked_poses",
    "backdrop_of",
    "instruction_states",
    "loaded_run",
    "needed_assets",
    "portrait_of",
    "require_suited",
]


def loaded_run(job: GenerationJob) -> TrainedRun:
    """Return the run, made sure that its networks take what is to drive them, and the landmarks of its dataset.

    Raises:
        GenerationError: they do not.
    """
    run = load_run(job.run, torch_device(resolve_device(job.device)))
    require_suited(run, job)
    return run


def require_suited(run: TrainedRun, job: GenerationJob) -> None:
    """Make sure that the networks of a run take what is to drive them, and the landmarks of its dataset.

    Raises:
        GenerationError: they do not.
    """
    if job.text is not None:
        text_driven(run)
    elif job.edit is not None:
        require_editable(run, speech_driven(run), job.edit)
    elif job.pose.kind != "predict":
        require_pose_driven(run)
    elif job.speech is not None:
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


def needed_assets(job: GenerationJob, settings: CurationSettings) -> list[str]:
    """Return the names of the weights that are used: a video is measured as curation measures one."""
    of_speech = [] if job.speech is None else speech_assets(settings.speech.without_transcript)
    if job.driving is not None or job.edit is not None or job.pose.kind == "video":
        return [*perception_assets(settings.perception), *of_speech]
    return [*face_finder_assets(settings.perception), *head_pose_assets(settings.perception), *of_speech]


def portrait_of(job: GenerationJob, run: TrainedRun, video: DrivingVideo | None) -> Portrait:
    """Return the face of the portrait, or of the video that is dubbed, cropped for the networks of a run."""
    if job.edit is not None and job.edit.dub and video is not None:
        return face_of_video(run, job.edit, video)
    if job.portrait is None:
        raise RuntimeError("a job without a portrait dubs a video, whose face it takes")
    return read_portrait(job.portrait, run.measuring.heads, run.curation, run.size_px, job.face)


def backdrop_of(job: GenerationJob, run: TrainedRun, portrait: Portrait) -> Backdrop | None:
    """Return the picture that frames are put into, with what the networks make of its colours; None: none is.

    It is that of the portrait, or the first one of the video that is dubbed.
    """
    dub = job.edit is not None and job.edit.dub
    if not (job.keep_background or dub):
        return None
    motion_1CHW = reference_motion(run, portrait.image, portrait.landmarks_px)[None]
    (made,) = decoded_frames(run, appearance_of(run, portrait.image), motion_1CHW)
    return Backdrop.of_portrait(
        portrait.picture, portrait.crop, portrait.image, made, longest_px=None if dub else LONGEST_PX
    )


def asked_poses(job: GenerationJob, run: TrainedRun, portrait: Portrait, n_frames: int) -> Float32Array | None:
    """Return the (n_frames, 3) head poses that are asked for."""

    def of_video(path: Path, n_ticks: int) -> Float32Array:
        return read_head_poses(path, run.measuring.perception, run.curation, n_ticks)

    return asked_pose(job.pose, n_frames, still_deg=portrait.pose_deg, of_video=of_video)


def instruction_states(run: TrainedRun, text: str, model: str | None) -> Float16Array:
    """Return the (L, 768) states of a text; of an empty one, which guidance takes no part of, a single state of zeros.

    Args:
        run: with a motion network that text drives.
        text: the instruction.
        model: folder or name of the text encoder; None: looked for by the name that the run recorded.

    Raises:
        TextEncoderError: the text encoder is not on this machine, or is none of CLIP.
        GenerationError: it is another one than the run was trained with.
    """
    if not text:
        return np.zeros((1, STATE_WIDTH), np.float16)
    trained = str(run.facts.speech_encoder)
    called, _, digest = trained.removeprefix("clip:").rpartition("@")
    asked = called if model is None else model
    try:
        encoder = run.measuring.text_encoder(asked, next(run.vae.parameters()).device)
    except TextEncoderError as error:
        raise TextEncoderError(
            f"{run.label} was trained with the text encoder {trained}: give its folder with --text-encoder; {error}"
        ) from error
    if encoder.name.rpartition("@")[2] != digest:
        raise GenerationError(
            f"{run.label} was trained with the text encoder {trained}, and {asked} is {encoder.name}; give the folder "
            "of the former with --text-encoder"
        )
    return encoder(text)

"""Animate a portrait: driven by speech or text through the motion network, or by another video through the VAE."""

from collections.abc import Iterator
from dataclasses import dataclass

from curation.speech.models import SpeechModels
from foundation.array_types import Float16Array, Float32Array, RgbImage
from generation.driving import DrivingVideo
from generation.editing.landmark_check import EditedLandmarks
from generation.portrait import Portrait
from generation.speech import DrivingSpeech, speech_features
from generation.trained_run import GenerationError, TrainedRun
from models.face_motion import appearance_of, decoded_frames, motion_of_landmarks, motion_of_text, reference_motion
from models.landmark_motion import spoken_motion
from models.motion.diffusion import MotionDiffusion
from models.sampling.sample_motion import MotionSampling

__all__ = [
    "Animation",
    "SpokenFeatures",
    "features_of",
    "from_speech",
    "from_text",
    "from_video",
    "require_landmark_driven",
    "require_pose_driven",
    "speech_driven",
    "text_driven",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Animation:
    """Frames at 25 a second, made on demand one after the other, and their audio."""

    frames: Iterator[RgbImage]
    """Can be iterated over once."""
    n_frames: int
    audio_48k: Float32Array | None
    asked_deg: Float32Array | None = None
    """(n_frames, 3) head poses that were asked for; None: none were."""
    edited: EditedLandmarks | None = None
    """Landmarks of which some are a video's; None: none are."""
    behind: Iterator[RgbImage] | None = None
    """Picture that each frame is put into; None: that of the portrait, or none."""


def speech_driven(run: TrainedRun) -> MotionDiffusion:
    """Return the motion network of a run.

    Raises:
        GenerationError: it has none, so that speech cannot drive it, or one that text drives.
    """
    if run.motion is None:
        raise GenerationError(
            f"{run.label} is a run of the VAE alone, which speech cannot drive; name a run of `gaia-train diffusion`, "
            "or give --driving in place of --speech"
        )
    if run.motion.config.condition == "text":
        raise GenerationError(
            f"{run.label} was trained on instructions, which speech cannot replace; give --text in place of --speech, "
            "or train a run on speech: gaia-train diffusion DATASET --vae VAE_RUN --out NEW_RUN"
        )
    return run.motion


def text_driven(run: TrainedRun) -> MotionDiffusion:
    """Return the motion network of a run.

    Raises:
        GenerationError: it has none, or one that speech drives.
    """
    if run.motion is None or run.motion.config.condition != "text":
        raise GenerationError(
            f"{run.label} was not trained on instructions, so that --text cannot drive it; train a run that is: "
            "gaia-train texts DATASET --encoder FOLDER, then gaia-train diffusion DATASET --vae VAE_RUN --out NEW_RUN "
            "--set model.condition=text --set model.pose.enabled=false"
        )
    return run.motion


def require_pose_driven(run: TrainedRun) -> None:
    """Refuse a run whose motion network takes no head poses.

    Raises:
        GenerationError: it was trained without them, or there is no motion network.
    """
    if not speech_driven(run).config.pose.enabled:
        raise GenerationError(
            f"{run.label} was trained without head poses, so that --pose cannot turn the head; train a run that takes "
            "them: gaia-train diffusion DATASET --vae VAE_RUN --out NEW_RUN --set model.pose.enabled=true"
        )


def require_landmark_driven(run: TrainedRun) -> None:
    """Refuse a run that a driving video cannot drive.

    Raises:
        GenerationError: its VAE has no encoder of landmarks.
    """
    if not run.vae.config.disentangled:
        raise GenerationError(
            f"{run.label} has a VAE without disentanglement, which takes no landmarks, so that no video can drive it; "
            "name a run whose VAE has model.disentangled=true, or give --speech in place of --driving"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenFeatures:
    """Speech as the motion network takes it, N frames."""

    features: Float16Array
    """(N, F) features of the run's speech encoder."""
    audio_48k: Float32Array
    """(N * 1920,) mono, for the video."""


def features_of(run: TrainedRun, speech: DrivingSpeech, models: SpeechModels) -> SpokenFeatures:
    """Return the features of speech.

    Args:
        run: with a motion network.
        speech: speech of the portrait.
        models: those that made the speech features of the training data.

    Raises:
        GenerationError: the run has no motion network, or it was trained on features of another encoder.
    """
    speech_driven(run)
    name = None if models.encoder is None else models.encoder.name
    if name != run.facts.speech_encoder:
        raise GenerationError(
            f"{run.label} was trained on speech features of {run.facts.speech_encoder!r}, but the encoder on this "
            f"machine is {name!r}; use the files of speech.wav2vec2.model that the training data was made with"
        )
    return SpokenFeatures(features=speech_features(speech, models, run.curation), audio_48k=speech.audio_48k)


def from_speech(
    run: TrainedRun,
    portrait: Portrait,
    spoken: SpokenFeatures,
    *,
    sampling: MotionSampling,
    seed: int,
    pose_deg: Float32Array | None = None,
) -> Animation:
    """Return the portrait speaking.

    Args:
        run: with a motion network.
        portrait: source of the appearance, and of the reference motion.
        spoken: features of the speech, by the run's own encoder.
        sampling: how motion is sampled.
        seed: of all the noise; the same seed gives the same frames.
        pose_deg: (N, 3) pitch, yaw, roll of each frame; None: the network predicts them.

    Raises:
        GenerationError: the run has no motion network.
    """
    network = speech_driven(run)
    motion_TCHW = spoken_motion(
        run, network, spoken.features, portrait.image, portrait.landmarks_px, sampling, seed, pose_deg
    )
    return Animation(
        frames=decoded_frames(run, appearance_of(run, portrait.image), motion_TCHW),
        n_frames=len(spoken.features),
        audio_48k=spoken.audio_48k,
        asked_deg=pose_deg,
    )


def from_text(
    run: TrainedRun,
    portrait: Portrait,
    states: Float16Array,
    *,
    n_frames: int,
    sampling: MotionSampling,
    seed: int,
) -> Animation:
    """Return the portrait doing what a text asks for, without sound (GAIA appendix E).

    Args:
        run: with a motion network that text drives.
        portrait: source of the appearance, and of the reference motion.
        states: (L, 768) of the run's own text encoder.
        n_frames: length.
        sampling: how motion is sampled.
        seed: of all the noise; the same seed gives the same frames.

    Raises:
        GenerationError: text does not drive the run.
    """
    network = text_driven(run)
    reference_CHW = reference_motion(run, portrait.image, portrait.landmarks_px)
    motion_TCHW = motion_of_text(run, network, states, n_frames, reference_CHW, sampling, seed)
    return Animation(
        frames=decoded_frames(run, appearance_of(run, portrait.image), motion_TCHW), n_frames=n_frames, audio_48k=None
    )


def from_video(run: TrainedRun, portrait: Portrait, driving: DrivingVideo) -> Animation:
    """Return the portrait with the motion of a face in another video: its landmarks, unchanged (GAIA appendix B.2).

    The landmarks hold the shape of that face as well as its motion, so the portrait takes on both.

    Raises:
        GenerationError: the VAE takes no landmarks.
    """
    require_landmark_driven(run)
    motion_TCHW = motion_of_landmarks(run, driving.landmarks_px)
    return Animation(
        frames=decoded_frames(run, appearance_of(run, portrait.image), motion_TCHW),
        n_frames=len(motion_TCHW),
        audio_48k=driving.audio_48k,
    )

"""Animate a portrait by speech and a video: the mouth follows the speech, all else the video (GAIA appendix D.2)."""

from dataclasses import replace

from foundation.array_types import Float32Array
from generation.animation import Animation, SpokenFeatures, speech_driven
from generation.driving import DrivingVideo
from generation.editing.choice import EditChoice, require_editable
from generation.editing.dubbing import dubbed
from generation.editing.landmark_check import EditedLandmarks
from generation.portrait import Portrait
from generation.request import GenerationJob
from generation.trained_run import TrainedRun
from models.face_motion import appearance_of, decoded_frames, motion_of_landmarks
from models.landmark_motion import landmarks_of_speech
from models.sampling.sample_motion import MotionSampling

__all__ = ["edited", "edited_landmarks"]


def edited_landmarks(
    run: TrainedRun,
    portrait_px: Float32Array,
    spoken: SpokenFeatures,
    video: DrivingVideo,
    choice: EditChoice,
    *,
    sampling: MotionSampling,
    steps: int | None,
    seed: int,
) -> EditedLandmarks:
    """Return the landmarks of a video with mouth and jaw sampled from speech.

    The head poses that the network is told of are those of the video.

    Args:
        run: with a motion network of landmarks.
        portrait_px: (K, 2) landmarks of the portrait, pixels of the networks' crop.
        spoken: features of the speech, T frames.
        video: of T frames.
        choice: the method.
        sampling: guidance and windows; its solver is not used.
        steps: times of the method's grid; None: as many as suit it.
        seed: of all the noise.

    Raises:
        GenerationError: the run cannot be given landmarks.
    """
    network = speech_driven(run)
    require_editable(run, network, choice)
    sampled_px = landmarks_of_speech(
        run,
        network,
        spoken.features,
        portrait_px,
        replace(sampling, solver=choice.solver(steps)),
        seed,
        pose_deg=video.pose_deg if network.config.pose.enabled else None,
        given_px=video.landmarks_px,
    )
    return EditedLandmarks(given_px=video.landmarks_px, sampled_px=sampled_px)


def edited(
    job: GenerationJob,
    run: TrainedRun,
    face: Portrait,
    spoken: SpokenFeatures,
    video: DrivingVideo,
    *,
    sampling: MotionSampling,
    seed: int,
) -> Animation:
    """Return the portrait with the motion of a video but for mouth and jaw, which speak; or that video, dubbed.

    Args:
        job: names the video and the method.
        run: with a motion network of landmarks.
        face: the portrait, or the face of the video.
        spoken: features and sound of the speech, T frames.
        video: of T frames.
        sampling: guidance and windows.
        seed: of all the noise.

    Raises:
        GenerationError: the run cannot be given landmarks.
    """
    if job.edit is None:
        raise RuntimeError("a job that edits no video")
    steps = job.motion.steps
    landmarks = edited_landmarks(
        run, face.landmarks_px, spoken, video, job.edit, sampling=sampling, steps=steps, seed=seed
    )
    if job.edit.dub:
        return dubbed(run, job.edit, face, landmarks, spoken.audio_48k)
    motion_TCHW = motion_of_landmarks(run, landmarks.sampled_px)
    return Animation(
        frames=decoded_frames(run, appearance_of(run, face.image), motion_TCHW),
        n_frames=len(motion_TCHW),
        audio_48k=spoken.audio_48k,
        edited=landmarks,
    )

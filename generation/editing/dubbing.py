"""Dub a video: the face speaks other words, and is put back into each picture at its place and size.

The appearance of each frame is that of the video's own frame, so that light, hair and what lies behind the face go on
as they do there; the motion of mouth and jaw is that of the speech.
"""

from collections.abc import Iterator

from curation.media.decoders import probe_for
from curation.media.errors import MediaError
from curation.media.frames import tick_frames
from curation.rendering.crop import Crop
from curation.rendering.picture_area import PictureArea, picture_area
from curation.settings import CurationSettings
from foundation.array_types import Float32Array, RgbImage
from generation.animation import Animation
from generation.driving import DrivingVideo
from generation.editing.choice import EditChoice
from generation.editing.landmark_check import EditedLandmarks
from generation.portrait import Portrait
from generation.trained_run import GenerationError, TrainedRun
from manifests.landmarks import landmark_box
from manifests.timeline import seconds_of_tick
from models.face_motion import appearance_of, decoded_frames, motion_of_landmarks

__all__ = ["dubbed", "face_of_video"]


def face_of_video(run: TrainedRun, choice: EditChoice, video: DrivingVideo) -> Portrait:
    """Return the face in the first frame of a video that is dubbed: the reference of the motion.

    Raises:
        GenerationError: the video cannot be read any more.
    """
    picture = next(_pictures(choice, run.curation, 1))
    return Portrait(
        image=video.crop.image(picture, picture_area(picture), run.size_px),
        landmarks_px=video.landmarks_px[0],
        face_width_px=_width_px(video.landmarks_px[0]) * video.crop.size_px / run.size_px,
        pose_deg=video.pose_deg[0],
        picture=picture,
        crop=video.crop,
    )


def _width_px(landmarks_px: Float32Array) -> float:
    x0, _, x1, _ = landmark_box(landmarks_px)
    return float(x1 - x0)


def dubbed(
    run: TrainedRun, choice: EditChoice, face: Portrait, landmarks: EditedLandmarks, audio_48k: Float32Array
) -> Animation:
    """Return the frames of a video with mouth and jaw as they were edited, and the pictures that they are put into.

    Args:
        run: its networks.
        choice: the video.
        face: of `face_of_video`.
        landmarks: T frames.
        audio_48k: (T * 1920,) the speech.
    """
    n_frames, area = len(landmarks.sampled_px), picture_area(face.picture)
    return Animation(
        frames=_frames(run, choice, face.crop, area, landmarks),
        n_frames=n_frames,
        audio_48k=audio_48k,
        edited=landmarks,
        behind=_pictures(choice, run.curation, n_frames),
    )


def _frames(
    run: TrainedRun, choice: EditChoice, crop: Crop, area: PictureArea, landmarks: EditedLandmarks
) -> Iterator[RgbImage]:
    """Yield the generated squares, each with the appearance of its own frame."""
    motion_TCHW = motion_of_landmarks(run, landmarks.sampled_px)
    pictures = _pictures(choice, run.curation, len(motion_TCHW))
    for picture, motion_CHW in zip(pictures, motion_TCHW, strict=True):
        appearance_CHW = appearance_of(run, crop.image(picture, area, run.size_px))
        yield from decoded_frames(run, appearance_CHW, motion_CHW[None])


def _pictures(choice: EditChoice, settings: CurationSettings, n_ticks: int) -> Iterator[RgbImage]:
    """Yield the picture of each tick of a video, all of one size; one that does not decode is the one before it.

    Raises:
        GenerationError: the video cannot be read any more, or its pictures change their size.
    """
    last: RgbImage | None = None
    try:
        info = probe_for(choice.video, settings.media)
        for frame in tick_frames(info, 0, n_ticks, settings.media):
            picture = last if frame.rgb is None else frame.rgb
            if picture is None:
                raise GenerationError(f"{choice.option} {choice.video}: its first frame cannot be decoded")
            if last is not None and picture.shape != last.shape:
                raise GenerationError(
                    f"{choice.option} {choice.video}: the picture changes its size at "
                    f"{seconds_of_tick(frame.tick):.2f} s; cut the video there"
                )
            last = picture
            yield picture
    except MediaError as error:
        raise GenerationError(f"{choice.option} {choice.video}: cannot be read as a video: {error.detail}") from error

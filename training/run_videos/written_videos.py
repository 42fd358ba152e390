"""Write the videos of a protocol: what the run generates, the true frames, and the picture that was animated.

FOLDER/outputs/STEM.mp4     generated; tags say so
FOLDER/truth/STEM.mp4       the same frames of the driving clip
FOLDER/reference/STEM.png   the picture
FOLDER/copy/STEM.mp4        of protocols with a copy: the picture for as long as the video, as a baseline

All have the size that the VAE was trained at, 25 frames a second, and the sound of the clip; a result has that of the
speech that drives it. Frames are encoded so
little that metrics hardly notice; both sides are encoded alike.
"""

import io
import json
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import repeat
from pathlib import Path

import numpy as np

from foundation.array_types import Float32Array, RgbImage
from foundation.packages import DISTRIBUTION
from foundation.storage.atomic import write_bytes_atomic
from manifests.generated_media import COMMENT, DIGITAL_SOURCE_TYPE
from manifests.timeline import AUDIO_RATE_HZ, SAMPLES_PER_TICK
from models.face_motion import appearance_of, decoded_frames, motion_of_landmarks
from models.landmark_motion import spoken_motion
from training.data.clips import ClipReader
from training.evaluation.protocols.protocol import EvaluationProtocol
from training.run_videos.planned_videos import PlannedVideo
from training.run_videos.tested_run import TestedRun

__all__ = ["COPY", "VideoWriter", "folders_of"]

COPY = "copy"
"""Folder of the baseline."""

_FOLDERS = {"outputs": ".mp4", "truth": ".mp4", "reference": ".png"}
"""Suffixes of the files, by folder."""

_CRF = 6
"""Constant rate factor of H.264: real faces of 256 pixels come back at about 45 dB, and a PSNR of 20 to 27 dB between
two such videos changes by less than 0.02 dB."""

_AT_ONCE = 48
"""Frames that are decoded at once, a multiple of the distance of key frames."""


def folders_of(protocol: EvaluationProtocol) -> dict[str, str]:
    """Return the suffixes of a protocol's files, by folder."""
    return {**_FOLDERS, **({COPY: ".mp4"} if protocol.has_copy else {})}


class VideoWriter:
    """Writer of the videos of one protocol; the true video that was encoded last is kept for further rounds."""

    def __init__(self, run: TestedRun, name: str, protocol: EvaluationProtocol, folder: Path) -> None:
        """Write to `folder`."""
        self._run, self._name, self._protocol, self._folder = run, name, protocol, folder
        self._reader = ClipReader(run.clips.index)
        self._number = {clip_id: number for number, clip_id in enumerate(run.clips.index.rows["clip_id"].to_pylist())}
        self._folders = folders_of(protocol)
        self._last_truth: tuple[PlannedVideo, bytes] | None = None

    def is_written(self, video: PlannedVideo) -> bool:
        """Return whether all files of a video are there; each appears complete or not at all."""
        return all(self._path(kind, video).is_file() for kind in self._folders)

    def write(self, video: PlannedVideo) -> None:
        """Generate a video and write its files.

        Raises:
            ClipError: a clip is damaged.
            MediaError: its sound is damaged.
            DatasetError: the dataset is damaged.
            OSError: the disk refused.
        """
        from manifests.files.h264_mp4 import with_sound  # loads PyAV

        image = self._frames(video.reference_clip_id, video.reference_frame, 1)[0]
        audio = self._audio(video.clip_id, video)
        speech = audio if video.speech_clip_id is None else self._audio(video.speech_clip_id, video)
        files = {"reference": _png(image), "truth": self._truth(video, audio)}
        if COPY in self._folders:
            files[COPY] = with_sound(self._mp4(repeat(image, video.n_frames)), audio, AUDIO_RATE_HZ, {})
        mp4 = self._mp4(self._generated(video, image))
        files["outputs"] = with_sound(mp4, speech, AUDIO_RATE_HZ, self._tags(video))
        for kind, content in files.items():
            write_bytes_atomic(self._path(kind, video), content)

    def _path(self, kind: str, video: PlannedVideo) -> Path:
        return self._folder / kind / f"{video.stem}{self._folders[kind]}"

    def _generated(self, video: PlannedVideo, image: RgbImage) -> Iterator[RgbImage]:
        networks = self._run.networks
        scale = networks.size_px / self._run.clips.index.clip_px
        driving, reference = self._number[video.clip_id], self._number[video.reference_clip_id]
        frames = range(video.first_frame, video.first_frame + video.n_frames)
        appearance_CHW = appearance_of(networks, image)
        if self._protocol.drive == "landmarks":
            landmarks_px = self._reader.array(driving, "landmarks", frames).astype(np.float32) * np.float32(scale)
            return decoded_frames(networks, appearance_CHW, motion_of_landmarks(networks, landmarks_px))
        if networks.motion is None or video.seed is None:
            raise RuntimeError("speech drives a video without a motion network or a seed")
        points_px = self._reader.array(reference, "landmarks", [video.reference_frame])[0].astype(np.float32)
        speaking = driving if video.speech_clip_id is None else self._number[video.speech_clip_id]
        features = self._reader.array(speaking, "speech_features", frames)
        motion_TCHW = spoken_motion(
            networks,
            networks.motion,
            features,
            image,
            points_px * np.float32(scale),
            self._run.sampling,
            video.seed,
        )
        return decoded_frames(networks, appearance_CHW, motion_TCHW)

    def _truth(self, video: PlannedVideo, audio: Float32Array | None) -> bytes:
        if self._last_truth is not None:
            last, content = self._last_truth
            if (last.clip_id, last.first_frame, last.n_frames) == (video.clip_id, video.first_frame, video.n_frames):
                return content
        from manifests.files.h264_mp4 import with_sound

        mp4 = self._mp4(self._clip_frames(video))
        self._last_truth = video, with_sound(mp4, audio, AUDIO_RATE_HZ, {})
        return self._last_truth[1]

    def _clip_frames(self, video: PlannedVideo) -> Iterator[RgbImage]:
        end = video.first_frame + video.n_frames
        for start in range(video.first_frame, end, _AT_ONCE):
            yield from self._frames(video.clip_id, start, min(_AT_ONCE, end - start))

    def _frames(self, clip_id: str, start: int, count: int) -> list[RgbImage]:
        frames = range(start, start + count)
        return list(self._reader.frames(self._number[clip_id], frames, self._run.networks.size_px))

    def _audio(self, clip_id: str, video: PlannedVideo) -> Float32Array | None:
        """Return the sound of a clip at the frames of a video, at 16 kHz; None where the clip has none."""
        audio = self._run.dataset.clip(clip_id).audio()
        if audio is None:
            return None
        start = video.first_frame * SAMPLES_PER_TICK
        return audio[start : start + video.n_frames * SAMPLES_PER_TICK]

    def _mp4(self, frames: Iterable[RgbImage]) -> bytes:
        from manifests.files.h264_mp4 import h264_mp4

        size_px = self._run.networks.size_px
        return h264_mp4(frames, size_px, crf=_CRF, preset="veryfast", key_frame_every=12)

    def _tags(self, video: PlannedVideo) -> dict[str, str]:
        facts = {
            "digital_source_type": DIGITAL_SOURCE_TYPE,
            "software": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
            "run": self._run.networks.label,
            "protocol": self._name,
            "seed": video.seed,
        }
        return {"comment": COMMENT, "description": json.dumps(facts, allow_nan=False)}


def _png(image: RgbImage) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()

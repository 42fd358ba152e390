"""Pictures of stretches: from the source where it is at hand, from a rendered clip where the stretch was kept."""

import base64
import io
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from curation.media.convert import LazyImage
from curation.media.decoders import probe_for
from curation.media.errors import MediaError as SourceMediaError
from curation.media.frames import TickFrame, tick_frames
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.review.measured_videos import MeasuredVideo, VideoRow
from curation.sources.content import content_of
from foundation.array_types import Float32Array, RgbImage
from foundation.errors import GaiaError
from foundation.storage.locations import is_remote
from foundation.storage.path_text import path_of_text
from foundation.storage.regular_files import NotRegularFileError
from manifests.dataset import Dataset
from manifests.errors import DatasetError, MediaError
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["jpeg_address", "missing_source", "pictures_of"]

_FACE_COLOUR = "#ffd60a"

_QUALITY = 68

_MOST_SKIPPED_TICKS = 150
"""Ticks that are decoded for nothing rather than seeking: a seek decodes from a key frame, 250 frames apart in many
files."""


def jpeg_address(image: "Image") -> str:
    """Return a picture as an address that holds its JPEG."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"


def missing_source(row: VideoRow) -> str | None:
    """Return in words why the source of a video is not looked at; None where it is at hand and unchanged.

    A dataset of a stranger may name any file of this machine: pictures are taken of what has the content of the video
    alone. Samples of it tell, which is up to 6 MB to read.
    """
    path, size_bytes = path_of_text(row.path), -1 if row.size_bytes is None else row.size_bytes
    if is_remote(path):
        return "the source lies in a store, and is not fetched for pictures"
    try:
        if path.stat().st_size == size_bytes and content_of(path, whole=False).is_of(row.video_id, size_bytes):
            return None
    except NotRegularFileError:
        return "there is no regular file at the recorded place of the source"
    except OSError:
        return "the source is not at its recorded place any more"
    return "the source has other content now"


def pictures_of(
    dataset: Dataset, video: MeasuredVideo, heights: Mapping[int, int], media: MediaSettings, missing: str | None
) -> tuple[dict[int, str], str | None]:
    """Return pictures of a video, with a frame around its main face, and why there are none of dropped ticks.

    Args:
        dataset: that has its clips.
        video: the video.
        heights: by tick, the height of its picture, pixels.
        media: how the source is decoded.
        missing: of `missing_source`.
    """
    if missing is None:
        try:
            return dict(_of_source(video, heights, media)), None
        except (SourceMediaError, OSError):
            missing = "the source cannot be decoded any more"
    return dict(_of_clips(dataset, video, heights)), missing


def _of_source(video: MeasuredVideo, heights: Mapping[int, int], media: MediaSettings) -> Iterable[tuple[int, str]]:
    from PIL import Image

    info = probe_for(path_of_text(video.row.path), media)
    for tick, shown in _shown_at(info, sorted(tick for tick in heights if tick < info.n_ticks), media):
        width, height = shown.shape.size_px
        scale = heights[tick] / height
        small = Image.fromarray(shown.thumbnail(max(1, round(width * scale)), heights[tick]))
        _draw_box(small, video.box_px[tick] * scale)
        yield tick, jpeg_address(small)


def _shown_at(info: VideoInfo, ticks: Sequence[int], media: MediaSettings) -> Iterator[tuple[int, LazyImage]]:
    """Yield the images of ascending ticks; nothing for a tick of which the file holds no picture."""
    frames: Generator[TickFrame] | None = None
    next_tick = 0
    for tick in ticks:
        if frames is None or tick - next_tick > _MOST_SKIPPED_TICKS:
            if frames is not None:
                frames.close()
            frames, next_tick = _from(info, tick, media), tick
        for frame in frames:
            next_tick = frame.tick + 1
            if frame.tick == tick:
                if frame.shown is not None:
                    yield tick, frame.shown
                break
    if frames is not None:
        frames.close()


def _from(info: VideoInfo, first_tick: int, media: MediaSettings) -> Generator[TickFrame]:
    yield from tick_frames(info, first_tick, info.n_ticks, media)


def _of_clips(dataset: Dataset, video: MeasuredVideo, heights: Mapping[int, int]) -> Iterable[tuple[int, str]]:
    from PIL import Image

    kept = {span.ticks: span.clip_id for tier in TIERS for span in video.spans[tier] if span.clip_id is not None}
    for (first, end), clip_id in kept.items():
        ticks = sorted(tick for tick in heights if first <= tick < end)
        if ticks:
            for tick, frame in zip(ticks, _clip_frames(dataset, clip_id, ticks), strict=False):
                yield tick, jpeg_address(Image.fromarray(frame).resize((heights[tick], heights[tick])))


def _clip_frames(dataset: Dataset, clip_id: str, ticks: Iterable[int]) -> Iterable[RgbImage]:
    """Return the frames of ticks of the video; none where the clip has no media."""
    try:
        clip = dataset.clip(clip_id)
        first = round(float(clip.times_s[0]) * TICK_RATE_HZ)
        return list(clip.frames([tick - first for tick in ticks]))
    except (DatasetError, MediaError, GaiaError, OSError):
        return []


def _draw_box(picture: "Image", box: Float32Array) -> None:
    from PIL import ImageDraw

    if not np.isnan(box).any():
        ImageDraw.Draw(picture).rectangle([float(edge) for edge in box], outline=_FACE_COLOUR, width=2)

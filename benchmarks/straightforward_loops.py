"""What scripts of this field do with a video: every model on every frame, one frame at a time, one core."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from curation.media.probe import VideoInfo
from curation.perception.models import load_perception
from curation.perception.settings import PerceptionSettings
from curation.rules.frontal import FrontalSettings, frontal_angle_deg
from foundation.array_types import RgbImage
from foundation.devices import onnx_session, resolve_device
from foundation.weights import asset_path
from manifests.landmarks import key_points, landmark_scheme
from manifests.timeline import TICK_RATE_HZ

View = dict[int, bool]
"""Per tick of a clip: does it show a face within the strict frontal limit?"""

Way = Callable[[VideoInfo, int], View]
"""Goes over the first ticks of a clip, with models that are loaded."""

_SCRFD_PX = 640
"""Side of the picture that SCRFD is given, as in InsightFace's examples."""

_BORDER = 0.25
"""Border around the frame over its longer side; without it SCRFD misses close-ups."""


def every_frame(info: VideoInfo, n_ticks: int) -> Iterator[tuple[int, RgbImage]]:
    """Yield every stored frame of the first `n_ticks` ticks with the tick that it is nearest to."""
    import av

    with av.open(str(info.path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        first = None
        for frame in container.decode(stream):
            first = frame.time if first is None else first
            tick = round((frame.time - first) * float(TICK_RATE_HZ))
            if tick >= n_ticks:
                return
            yield tick, frame.to_ndarray(format="rgb24")


def decode_only() -> Way:
    """Decode every frame to RGB and throw it away."""

    def look(info: VideoInfo, n_ticks: int) -> View:
        for _ in every_frame(info, n_ticks):
            pass
        return {}

    return look


def dlib_loop(upsample: int = 0) -> Way:
    """Run HOG on the full frame, 68 points, angle, jump; faces below 80 px are found if it is upsampled once."""
    import dlib

    detect = dlib.get_frontal_face_detector()
    points_of = _Points68()

    def look(info: VideoInfo, n_ticks: int) -> View:
        view: View = {}
        before = None
        for tick, rgb in every_frame(info, n_ticks):
            boxes = detect(rgb, upsample)
            if not boxes:
                view[tick], before = False, None
                continue
            box = max(boxes, key=lambda b: b.width())
            centre = np.array([box.center().x, box.center().y])
            jump = 0.0 if before is None else float(np.linalg.norm(centre - before)) / box.width()
            before = centre
            view[tick] = points_of.is_frontal(rgb, box) and jump < 1.0
        return view

    return look


def scrfd_loop(settings: PerceptionSettings, *, everything: bool) -> Way:
    """Run SCRFD on the padded full frame and 68 points in its box.

    Args:
        settings: which SCRFD, head pose and mask network.
        everything: also run what else the paper's filters read: dlib's HOG on the full frame, whose rectangle then
            holds the points, the head pose, and the mask network.
    """
    import dlib

    detect_face = _PaddedScrfd(asset_path(settings.scrfd))
    detect_rectangle = dlib.get_frontal_face_detector()
    points_of = _Points68()
    models = load_perception(settings) if everything else None

    def look(info: VideoInfo, n_ticks: int) -> View:
        view: View = {}
        for tick, rgb in every_frame(info, n_ticks):
            box = detect_face(rgb)
            rectangles = detect_rectangle(rgb) if everything else []
            if box is None:
                view[tick] = False
                continue
            inner = dlib.rectangle(*(round(float(edge)) for edge in box))
            if rectangles:
                inner = max(rectangles, key=lambda one: one.intersect(inner).area())
            view[tick] = points_of.is_frontal(rgb, inner)
            if models is not None and models.pose is not None:
                models.pose(models.pose.crop(rgb, box[None]))
                models.mask(rgb, points_of.key_points[None], box[None])
        return view

    return look


class _Points68:
    """dlib's 68 points and the frontal angle from them."""

    def __init__(self) -> None:
        import dlib

        self._predict = dlib.shape_predictor(str(asset_path("dlib_shape_predictor_68")))
        self._scheme = landmark_scheme("ibug68")
        self._limit = FrontalSettings().strict_deg
        self.key_points = np.zeros((9, 2), np.float32)

    def is_frontal(self, rgb: RgbImage, box: object) -> bool:
        """Return whether the face in dlib's rectangle `box` is within the strict frontal limit."""
        shape = self._predict(rgb, box)
        self.key_points = key_points(np.array([(p.x, p.y) for p in shape.parts()], np.float32), self._scheme)
        return bool(abs(frontal_angle_deg(self.key_points) - 180.0) <= self._limit)


class _PaddedScrfd:
    """InsightFace's detector as its examples call it, on a frame with a border."""

    def __init__(self, model: Path) -> None:
        from insightface.model_zoo.scrfd import SCRFD

        self._detector = SCRFD(model_file=str(model), session=onnx_session(model, resolve_device("cpu")))
        self._detector.prepare(0)

    def __call__(self, rgb: RgbImage) -> np.ndarray | None:
        """Return the (4,) box of the widest face, source pixels, or None."""
        import cv2

        border = round(_BORDER * max(rgb.shape[:2]))
        padded = cv2.copyMakeBorder(rgb, border, border, border, border, cv2.BORDER_CONSTANT)
        boxes, _ = self._detector.detect(padded[..., ::-1], input_size=(_SCRFD_PX, _SCRFD_PX))
        if not len(boxes):
            return None
        widest = boxes[(boxes[:, 2] - boxes[:, 0]).argmax(), :4]
        return (widest - border).astype(np.float32)

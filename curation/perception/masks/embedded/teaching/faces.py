"""Images of faces to draw on, with landmarks: from real videos and scikit-image's photograph of an astronaut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from curation.perception.masks.embedded.teaching.people import Footage
from foundation.array_types import Float32Array, RgbImage
from manifests.landmarks import key_points, landmark_scheme

__all__ = ["IMAGE_SIDE_PX", "FaceImage", "FaceLandmarks", "collect_faces"]

IMAGE_SIDE_PX = 160
"""Side of the square image, twice as wide as the face in it."""

_IMAGE_PER_BOX = 2.0

_MIN_FACE_PX = 24

_SCHEME = landmark_scheme("mediapipe478")


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceImage:
    """One face in the middle of a square image."""

    identity: str
    """As `Footage.identity`: no person is on both sides of a split."""
    image: RgbImage
    """(160, 160, 3)."""
    landmarks_px: Float32Array
    """(478, 2) in the image."""
    source_face_px: float
    """Longer side of the face's box in the video, pixels."""
    worn: bool = False
    """Whether something that the person wears covers the mouth."""

    @property
    def key_points_px(self) -> Float32Array:
        """(9, 2) in the image."""
        return key_points(self.landmarks_px, _SCHEME)

    @property
    def box_px(self) -> Float32Array:
        """(4,) x0, y0, x1, y1 around all landmarks, in the image."""
        return np.concatenate([self.landmarks_px.min(axis=0), self.landmarks_px.max(axis=0)]).astype(np.float32)


class FaceLandmarks:
    """MediaPipe's face landmarker on single images, as at inference; a context manager."""

    def __init__(self, model: Path) -> None:
        """Load `model`, a `face_landmarker.task`."""
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(model)),
            running_mode=vision.RunningMode.IMAGE,
            num_faces=4,
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Without this its destructor runs after its module is unloaded at exit, and prints an error.
        self._landmarker.close()

    def __call__(self, image: RgbImage) -> list[Float32Array]:
        """Return the (478, 2) landmarks in pixels of every face found."""
        import mediapipe

        height, width = image.shape[:2]
        mp_image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        found = self._landmarker.detect(mp_image).face_landmarks
        return [np.array([(p.x * width, p.y * height) for p in face], np.float32) for face in found]

    def in_middle(self, image: RgbImage, otherwise: Float32Array) -> Float32Array:
        """Return the (478, 2) landmarks of the face in the middle of a square image, or `otherwise` if none is."""
        middle = image.shape[0] / 2
        found = [face for face in self(image) if np.abs(face.mean(axis=0) - middle).max() < middle / 2]
        return found[0] if found else otherwise


def collect_faces(shared: Path, footage: Sequence[Footage], *, per_file: int) -> list[FaceImage]:
    """Return the faces of `per_file` images of every video; moments that nobody can judge are left out.

    Args:
        shared: folder with `models`.
        footage: from `people`.
        per_file: frames looked at, spread evenly over the video.

    Raises:
        FileNotFoundError: a video or the landmark model is not there.
    """
    model = shared / "models" / "face_landmarker.task"
    missing = [str(path) for path in (model, *(one.path for one in footage)) if path is not None and not path.is_file()]
    if missing:
        raise FileNotFoundError(f"{', '.join(missing)} not found; set GAIA_SHARED to the folder of the real videos")
    faces = []
    with FaceLandmarks(model) as landmarks:
        for one in footage:
            pictures = _astronaut(per_file) if one.path is None else _frames(one.path, per_file)
            for time_s, frame in pictures:
                worn = one.worn_at(time_s)
                if worn is not None:
                    faces += _faces_in(frame, one.identity, landmarks, worn=worn)
    return faces


def _frames(video_file: Path, count: int) -> Iterator[tuple[float, RgbImage]]:
    """Yield `count` frames spread evenly over the video, each with its time in seconds."""
    video = cv2.VideoCapture(str(video_file))
    n_frames, rate_hz = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), float(video.get(cv2.CAP_PROP_FPS))
    indices = set(np.linspace(0, n_frames - 1, count).astype(int).tolist())
    for index in range(n_frames):
        if not video.grab():
            break
        if index in indices:
            is_decoded, frame = video.retrieve()
            if is_decoded:
                yield index / rate_hz, np.asarray(frame[..., ::-1], np.uint8)
    video.release()


def _astronaut(count: int) -> Iterator[tuple[float, RgbImage]]:
    """Yield scikit-image's astronaut `count` times at 0 s, a little turned and scaled (NASA, public domain)."""
    stored = resources.files("skimage.data").joinpath("astronaut.png").read_bytes()
    photograph = np.asarray(cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(count):
        rotation = cv2.getRotationMatrix2D((225.0, 120.0), float(rng.uniform(-12, 12)), float(rng.uniform(0.8, 1.1)))
        rotated = cv2.warpAffine(photograph, rotation, (512, 512), borderMode=cv2.BORDER_REPLICATE)
        yield 0.0, np.asarray(rotated, np.uint8)


def _faces_in(frame: RgbImage, identity: str, landmarks: FaceLandmarks, *, worn: bool) -> list[FaceImage]:
    """Return the faces of a frame, each with landmarks measured again on its own image."""
    faces = []
    for box in _boxes(frame, landmarks):
        centre, longer = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2]))
        image = _square_image(frame, centre, _IMAGE_PER_BOX * longer)
        middle = IMAGE_SIDE_PX / 2
        found = [points for points in landmarks(image) if np.abs(points.mean(axis=0) - middle).max() < middle / 2]
        if found and longer >= _MIN_FACE_PX:
            faces.append(
                FaceImage(identity=identity, image=image, landmarks_px=found[0], source_face_px=longer, worn=worn)
            )
    return faces


def _boxes(frame: RgbImage, landmarks: FaceLandmarks) -> list[Float32Array]:
    """Return boxes of the faces in a frame; faces too small for the detector are searched in squares of the frame."""
    height, width = frame.shape[:2]
    for side in (max(height, width), min(height, width), min(height, width) // 2):
        boxes: list[Float32Array] = []
        for x in range(0, max(width - side, 0) + 1, max(side // 2, 1)):
            for y in range(0, max(height - side, 0) + 1, max(side // 2, 1)):
                for points in landmarks(frame[y : y + side, x : x + side]):
                    box = np.concatenate([points.min(axis=0), points.max(axis=0)]) + np.array([x, y, x, y])
                    if all(_apart(box, other) for other in boxes):
                        boxes.append(box.astype(np.float32))
        if boxes:
            return boxes
    return []


def _apart(box: Float32Array, other: Float32Array) -> bool:
    """Return whether two boxes' centres are further apart than half a box."""
    return bool(np.abs((box[:2] + box[2:]) - (other[:2] + other[2:])).max() > max(other[2:] - other[:2]))


def _square_image(frame: RgbImage, centre: npt.NDArray[np.floating], side_px: float) -> RgbImage:
    """Return the square of the frame around `centre`, resized to `IMAGE_SIDE_PX`, its border repeated outside."""
    x0, y0 = (round(float(c) - side_px / 2) for c in centre)
    side = max(round(side_px), 1)
    height, width = frame.shape[:2]
    rows = np.clip(np.arange(y0, y0 + side), 0, height - 1)
    columns = np.clip(np.arange(x0, x0 + side), 0, width - 1)
    smaller = side > IMAGE_SIDE_PX
    resized = cv2.resize(
        frame[np.ix_(rows, columns)],
        (IMAGE_SIDE_PX, IMAGE_SIDE_PX),
        interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR,
    )
    return np.asarray(resized, np.uint8)

"""Images of faces to draw on, with landmarks: from real clips and scikit-image's photograph of an astronaut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

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
    """Name of the clip. All people in it count as one identity, so that no person is on both sides of a split."""
    image: RgbImage
    """(160, 160, 3)."""
    landmarks_px: Float32Array
    """(478, 2) in the image."""
    source_face_px: float
    """Longer side of the face's box in the clip, pixels."""

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


def collect_faces(shared: Path, identities: Sequence[str], *, per_clip: int) -> list[FaceImage]:
    """Return the faces of `per_clip` images of every identity: a clip in `shared`/clips, or "astronaut".

    Raises:
        FileNotFoundError: a clip or the landmark model is not there.
    """
    model = shared / "models" / "face_landmarker.task"
    paths = {name: shared / "clips" / f"{name}.mp4" for name in identities if name != "astronaut"}
    missing = [str(path) for path in (model, *paths.values()) if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"{', '.join(missing)} not found; set GAIA_SHARED to the folder of the real clips")
    faces = []
    with FaceLandmarks(model) as landmarks:
        for name in identities:
            for frame in _frames(paths[name], per_clip) if name in paths else _astronaut(per_clip):
                faces += _faces_in(frame, name, landmarks)
    return faces


def _frames(clip: Path, count: int) -> Iterator[RgbImage]:
    """Yield `count` frames spread evenly over the clip."""
    video = cv2.VideoCapture(str(clip))
    n_frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    indices = set(np.linspace(0, n_frames - 1, count).astype(int).tolist())
    for index in range(n_frames):
        if not video.grab():
            break
        if index in indices:
            is_decoded, frame = video.retrieve()
            if is_decoded:
                yield np.asarray(frame[..., ::-1], np.uint8)
    video.release()


def _astronaut(count: int) -> Iterator[RgbImage]:
    """Yield scikit-image's astronaut `count` times, a little turned and scaled (NASA photograph, public domain)."""
    stored = resources.files("skimage.data").joinpath("astronaut.png").read_bytes()
    photograph = np.asarray(cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(count):
        rotation = cv2.getRotationMatrix2D((225.0, 120.0), float(rng.uniform(-12, 12)), float(rng.uniform(0.8, 1.1)))
        rotated = cv2.warpAffine(photograph, rotation, (512, 512), borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(rotated, np.uint8)


def _faces_in(frame: RgbImage, identity: str, landmarks: FaceLandmarks) -> list[FaceImage]:
    """Return the faces of a frame, each with landmarks measured again on its own image."""
    faces = []
    for box in _boxes(frame, landmarks):
        centre, longer = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2]))
        image = _square_image(frame, centre, _IMAGE_PER_BOX * longer)
        middle = IMAGE_SIDE_PX / 2
        found = [points for points in landmarks(image) if np.abs(points.mean(axis=0) - middle).max() < middle / 2]
        if found and longer >= _MIN_FACE_PX:
            faces.append(FaceImage(identity=identity, image=image, landmarks_px=found[0], source_face_px=longer))
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

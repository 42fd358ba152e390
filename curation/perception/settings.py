"""Settings that choose the perception models."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from curation.model_registry import (
    FACE_FINDERS,
    HEAD_POSES,
    IDENTITIES,
    MASKS,
    SPEAKING,
    SYNC,
    ModelName,
    UnknownModelError,
)
from foundation.devices import DeviceName
from foundation.settings import Settings

__all__ = ["LEAST_FACE_PX", "PerceptionSettings"]

LEAST_FACE_PX = 75.0
"""Default of `perception.least_face_px`: the narrowest face of tier `vae`."""


_WORD = re.compile(r"[\w-]+")
"""A value of `perception.mask` or `perception.sync` that could be a model's name."""


def _absolute(mask: str) -> str:
    """Make a file's name absolute, so that it is valid in workers in other folders; a model's name stays.

    Raises:
        UnknownModelError: it is a single word, and neither a model nor a file.
    """
    if mask in MASKS:
        return mask
    return _absolute_file(mask, f"{MASKS.unknown(MASKS.built_in)}; the path of an ONNX classifier will do, too")


def _absolute_sync(sync: str) -> str:
    """Make a file's name absolute; a model's name and `none` stay.

    Raises:
        UnknownModelError: it is a single word, and neither a model nor a file.
    """
    if sync == "none" or sync in SYNC:
        return sync
    known = SYNC.unknown(("none", *SYNC.built_in))
    return _absolute_file(sync, f"{known}; a file that `gaia-curate sync fit` wrote will do, too")


def _absolute_file(name: str, unknown: str) -> str:
    path = Path(name).expanduser().absolute()
    if _WORD.fullmatch(name) and not path.exists():
        raise UnknownModelError(unknown)
    return str(path)


class PerceptionSettings(Settings):
    """The choice of perception models."""

    faces: Annotated[str, ModelName(FACE_FINDERS)] = "mediapipe"
    """Face finder and landmarks. `scrfd`: InsightFace's boxes with MediaPipe's 478 points in them, for the paper's own
    landmark model was never released; `mediapipe`: boxes and 478 points; `dlib`: HOG rectangles and 68 points."""
    least_face_px: float = Field(default=LEAST_FACE_PX, ge=32.0, le=1000.0)
    """Width of the narrowest face that must be found in a picture of any size, pixels. Where the search finds none as
    wide, it goes on in finer steps. Ours: `rules.small_face.loose_px`; lower it with that limit."""
    scrfd: Literal["det_10g", "scrfd_2.5g", "scrfd_500m_bnkps"] = "det_10g"
    """Network of `scrfd`, from the largest (that of buffalo_l) to the smallest."""
    pose: Annotated[str, ModelName(HEAD_POSES, before=("finder",))] = "finder"
    """Head pose. `finder`: the head transform that comes with the landmarks; `3ddfa_mb1`: 3DDFA_V2 as published, its
    smaller network `3ddfa_mb05`."""
    identity: Annotated[str, ModelName(IDENTITIES, before=("auto",))] = "dlib"
    """Identity descriptor, which tells people apart. `arcface`: InsightFace's network of buffalo_l; `dlib`: dlib's;
    `auto`: ArcFace where its weights are on this machine when a dataset is begun, else dlib's; the dataset records
    which."""
    mask: Annotated[str, StringConstraints(min_length=1), AfterValidator(_absolute)] = "embedded"
    """Mask classifier. `embedded`: our own small network; `ssd`: AIZOOTech's FaceMaskDetection, on the CPU; `ssd_onnx`:
    its PyTorch model as an ONNX file, which you supply; anything else is the path of an ONNX image classifier of yours
    (docs/explanation/how_a_second_is_decided.md has the requirements)."""
    mask_stride: int = Field(default=5, ge=1, le=25)
    """Ticks from one mask classification of a face to the next; where the answer changes, the ticks between are
    classified too. Ours: half the width of the rule's median, `rules.mask.smooth_ticks`."""
    sync: Annotated[str, StringConstraints(min_length=1), AfterValidator(_absolute_sync)] = "embedded"
    """Comparison of lips with the sound, on stretches that would become clips of tier `diffusion`. `embedded`: our own
    small network on rows of Whisper tiny.en, for face finders with 478 landmarks; `none`: lips are not compared;
    anything else is the path of a network that `gaia-curate sync fit` taught on videos of yours."""
    speaking: Annotated[str, ModelName(SPEAKING, before=("none",))] = "none"
    """Detector of the active speaker, which tells who of several people in the picture is heard. `lr_asd`: LR-ASD,
    whose weights `gaia-curate models pull lr_asd_ava` fetches; `none`: none is run."""
    device: DeviceName = "auto"
    """Device of SCRFD, 3DDFA, `ssd_onnx` and ArcFace: `auto` takes a GPU if there is one, `cpu`, `cuda` or `cuda:1`.
    The other models run on the CPU."""

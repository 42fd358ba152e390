"""Configs of the motion diffusion model S at the paper's sizes (GAIA appendix B.1: small, base, large) and a tiny one.

A landmark model, a text-driven model and each experiment are this config with other values, not other classes;
`training/experiments` has one file for each row of the paper's Tables 4, 5, 6 and 9.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from foundation.settings import Section
from manifests.landmarks import landmark_scheme

__all__ = [
    "HEAD_WIDTH",
    "MOTION_DIFFUSION_SIZES",
    "ConditionConfig",
    "MotionDiffusionConfig",
    "PoseConfig",
    "SpeechEncoderConfig",
    "heads_of",
]

COORDINATES = 2

HEAD_WIDTH = 64
"""Channels of one head at every size, so that the number of heads follows from the width. The paper gives none."""


def heads_of(width: int) -> int:
    """Return how many heads a network of `width` channels has.

    Raises:
        ValueError: `width` is no multiple of 64.
    """
    if width <= 0 or width % HEAD_WIDTH:
        raise ValueError(f"width is {width}; give a multiple of {HEAD_WIDTH}, the width of a head")
    return width // HEAD_WIDTH


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionConfig(Section):
    """Way in which each condition enters the blocks (GAIA section 4.3; the other ways are Table 9)."""

    speech: Literal["add", "cross"] = "add"
    """Speech features. `add`: frame by frame to the hidden features; `cross`: keys and values of the
    cross-attention."""
    ref: Literal["cross", "add"] = "cross"
    """Reference latent. `cross`: one token per place of the reference latent; `add`: the whole latent as one vector."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechEncoderConfig(Section):
    """Size of the lightweight speech encoder A (GAIA section 4.3). Ours: the paper gives none."""

    width: Annotated[int, Field(ge=64, multiple_of=64)] = 512
    """Channels, a multiple of 64, the width of a head. Ours."""
    layers: Annotated[int, Field(ge=1, le=256)] = 4
    """Conformer blocks. Ours."""
    ffn_width: Annotated[int, Field(ge=1)] = 2048
    """Channels between the two layers of a feed-forward network. Ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoseConfig(Section):
    """Head pose as a condition, and the pose predictor P (GAIA section 4.3, "Pose-controllable Generation")."""

    enabled: bool = True
    """Whether the head pose is a condition and P is there. False: Table 6, "w/o head pose"."""
    width: Annotated[int, Field(ge=1)] = 384
    """Channels of P. From public code of the authors' line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionDiffusionConfig(Section):
    """Everything that decides the tensors of a `MotionDiffusion`."""

    width: Annotated[int, Field(ge=64, multiple_of=64)]
    """Channels, d_hidden of appendix B.1; a multiple of 64, the width of a head."""
    layers: Annotated[int, Field(ge=1, le=256)]
    """Blocks, n_layer of appendix B.1."""
    ffn_width: Annotated[int, Field(ge=1)] = 3072
    """Channels inside a feed-forward network, the same at every size: 4 d fits no size of the paper."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Share of activations set to 0 in training. From public code of the authors' line."""
    backbone: Literal["conformer", "transformer"] = "conformer"
    """Kind of blocks. `transformer`: Table 9, "w/ Transformer"."""
    objective: Literal["vp_x0", "regression"] = "vp_x0"
    """Training objective. `vp_x0`: predicts z_0 from z_t (equation 8); `regression`: from conditions alone (Table 6,
    "w/o diffusion")."""
    target: Literal["motion_latent", "frame_latent", "landmarks"] = "motion_latent"
    """Numbers that are predicted. `frame_latent`: Table 6, "w/o disentanglement"; `landmarks`: Table 6, "w. landmark
    prediction", and 5.4."""
    latent_shape: tuple[int, int, int] = (3, 16, 16)
    """Channels, height and width of a latent; those of the VAE are taken."""
    landmark_scheme: str | None = None
    """Scheme of `manifests.landmarks` whose points a landmark model predicts; null: the trainer takes that of the
    dataset. Null for the other targets."""
    edit: bool | None = None
    """Whether known coordinates and a bit for each are inputs, so that editing is exact (section 5.4, appendix D.2);
    null: the trainer sets it where the target is `landmarks`."""
    condition: Literal["speech", "text"] = "speech"
    """Input that drives the motion. `text`: states of CLIP's text encoder in place of speech and pose (appendix
    E.1)."""
    speech_dim: Annotated[int, Field(ge=1)] = 768
    """Numbers per row of the speech features: 768 of wav2vec 2.0 base, 384 of Whisper tiny.en; the trainer takes
    that of the dataset."""
    speech_encoder: SpeechEncoderConfig = field(default_factory=SpeechEncoderConfig)
    """Size of the speech encoder A."""
    cond: ConditionConfig = field(default_factory=ConditionConfig)
    """Way of the conditions into the blocks."""
    pose: PoseConfig = field(default_factory=PoseConfig)
    """Head pose as a condition."""

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.landmark_scheme is not None:
            landmark_scheme(self.landmark_scheme)
            if self.target != "landmarks":
                raise ValueError(
                    f"target is {self.target!r} and landmark_scheme {self.landmark_scheme!r}; give a scheme, such as "
                    "'mediapipe478', with target 'landmarks' and with no other"
                )
        if self.condition == "text" and (self.pose.enabled or self.cond.speech != "add"):
            raise ValueError(
                f"condition is 'text' with pose.enabled {self.pose.enabled} and cond.speech {self.cond.speech!r}; a "
                "text-driven model takes neither speech nor pose: set pose.enabled to false and leave cond.speech"
            )

    @property
    def tokens(self) -> int:
        """K: positions of a latent, or landmarks.

        Raises:
            ValueError: the target is landmarks, of a scheme that is not known yet.
        """
        if self.target != "landmarks":
            return prod(self.latent_shape[1:])
        if self.landmark_scheme is None:
            raise ValueError("landmark_scheme is None with target 'landmarks'; give a scheme, such as 'mediapipe478'")
        return landmark_scheme(self.landmark_scheme).n_points

    @property
    def token_channels(self) -> int:
        """Numbers per token: channels of a latent, or x and y."""
        return COORDINATES if self.target == "landmarks" else self.latent_shape[0]

    @property
    def target_dims(self) -> int:
        """D: numbers per frame that the model predicts, a latent flattened from (c, h, w) or landmarks from (K, 2)."""
        return self.tokens * self.token_channels


MOTION_DIFFUSION_SIZES: Mapping[str, MotionDiffusionConfig] = MappingProxyType(
    {
        "tiny": MotionDiffusionConfig(
            width=128,
            layers=2,
            ffn_width=256,
            dropout=0.0,
            speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=128),
            pose=PoseConfig(width=64),
        ),
        "small": MotionDiffusionConfig(width=512, layers=6),
        "base": MotionDiffusionConfig(width=1280, layers=12),
        "large": MotionDiffusionConfig(width=2048, layers=12),
    }
)
"""By name. `tiny` is ours, for tests and first steps on a CPU; the paper's three sizes are 180M, 600M and 1.2B."""

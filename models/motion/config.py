"""Configs of the motion diffusion model S at the paper's sizes (GAIA appendix B.1: small, base, large) and a tiny one.

A landmark model, a text-driven model and each experiment are this config with other values, not other classes;
`training/experiments` has one file for each row of the paper's Tables 4, 5, 6 and 9.
"""

from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import Literal

from manifests.landmarks import landmark_scheme
from models.motion.attention import heads_of
from models.motion.speech_encoder import SpeechEncoderConfig

__all__ = ["MOTION_DIFFUSION_SIZES", "ConditionConfig", "MotionDiffusionConfig", "PoseConfig"]

COORDINATES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionConfig:
    """How a condition enters each block (GAIA section 4.3; the other ways are Table 9)."""

    speech: Literal["add", "cross"] = "add"
    """`add`: frame by frame to the hidden features; `cross`: keys and values of the cross-attention."""
    ref: Literal["cross", "add"] = "cross"
    """`cross`: one token per place of the reference latent; `add`: the whole latent as one vector."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoseConfig:
    """Head pose as a condition, and the pose predictor P (GAIA section 4.3, "Pose-controllable Generation")."""

    enabled: bool = True
    """False: neither (Table 6, "w/o head pose")."""
    width: int = 384
    """Channels of P. From public code of the authors' line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionDiffusionConfig:
    """Everything that decides the tensors of a `MotionDiffusion`."""

    width: int
    """d_hidden of appendix B.1; a multiple of 64, the width of a head."""
    layers: int
    """n_layer of appendix B.1."""
    ffn_width: int = 3072
    """Channels inside a feed-forward part, the same at every size: with 4 d no size of the paper comes out."""
    dropout: float = 0.1
    """From public code of the authors' line."""
    backbone: Literal["conformer", "transformer"] = "conformer"
    """`transformer`: Table 9, "w/ Transformer"."""
    objective: Literal["vp_x0", "regression"] = "vp_x0"
    """`vp_x0`: predicts z_0 from z_t (equation 8); `regression`: from conditions alone (Table 6, "w/o diffusion")."""
    target: Literal["motion_latent", "frame_latent", "landmarks"] = "motion_latent"
    """`frame_latent`: Table 6, "w/o disentanglement"; `landmarks`: Table 6, "w. landmark prediction", and 5.4."""
    latent_shape: tuple[int, int, int] = (3, 16, 16)
    """Channels, height and width of a latent; the VAE's."""
    landmark_scheme: str | None = None
    """Scheme of `manifests.landmarks` whose points a landmark model predicts; None for the other targets."""
    edit: bool = False
    """Whether known coordinates and a bit for each are inputs, so that editing is exact (section 5.4, appendix D.2)."""
    condition: Literal["speech", "text"] = "speech"
    """`text`: states of CLIP's text encoder in place of speech and pose (appendix E.1)."""
    speech_dim: int = 768
    """Numbers per row of the speech features: 768 of wav2vec 2.0 base, 384 of Whisper tiny.en."""
    speech_encoder: SpeechEncoderConfig = field(default_factory=SpeechEncoderConfig)
    cond: ConditionConfig = field(default_factory=ConditionConfig)
    pose: PoseConfig = field(default_factory=PoseConfig)

    def __post_init__(self) -> None:
        heads_of(self.width)
        heads_of(self.speech_encoder.width)
        if self.layers < 1:
            raise ValueError(f"layers is {self.layers}; give 1 or more")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}; give a share of at least 0 and below 1, such as 0.1")
        if (self.target == "landmarks") != (self.landmark_scheme is not None):
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
        """K: positions of a latent, or landmarks."""
        if self.landmark_scheme is not None:
            return landmark_scheme(self.landmark_scheme).n_points
        return prod(self.latent_shape[1:])

    @property
    def token_channels(self) -> int:
        """Numbers per token: channels of a latent, or x and y."""
        return self.latent_shape[0] if self.landmark_scheme is None else COORDINATES

    @property
    def target_dims(self) -> int:
        """D: numbers per frame that the model predicts, a latent flattened from (c, h, w) or landmarks from (K, 2)."""
        return self.tokens * self.token_channels


MOTION_DIFFUSION_SIZES = MappingProxyType(
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

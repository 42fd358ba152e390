"""A trained run, as far as making videos needs it: networks, and how the data they learned from was made."""

from dataclasses import dataclass

from curation.config import CurationSettings
from models.landmark_image import LandmarkRenderer
from models.motion_diffusion import MotionDiffusion
from models.vae import Vae
from models.weights import WeightFacts

__all__ = ["TrainedRun"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedRun:
    """What a run folder holds, in evaluation mode and on one device."""

    vae: Vae
    renderer: LandmarkRenderer
    """Draws landmarks as those that the VAE was trained on."""
    motion: MotionDiffusion | None
    """None: the run is one of the VAE alone."""
    facts: WeightFacts
    """Landmark scheme, and speech encoder where there is a motion network."""
    curation: CurationSettings
    """Settings of the dataset that it was trained on."""
    label: str
    """Folder and step, for messages and for the tag in the video."""

    @property
    def size_px(self) -> int:
        """Width and height of its pictures."""
        return self.vae.config.image_px

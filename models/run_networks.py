"""Load the networks of a training run: the VAE, and the motion network where the run has one."""

from dataclasses import asdict, dataclass

import torch

from foundation.settings import SettingsError, restored
from models.motion.config import MotionDiffusionConfig
from models.motion.diffusion import MotionDiffusion
from models.run_folder import RunFolder, RunFolderError
from models.sampling.config import SdeConfig
from models.sampling.sde import VpSde
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, WeightsError, load_weights, read_facts

__all__ = ["RunNetworks", "load_networks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunNetworks:
    """Networks of a run, in evaluation mode and on one device."""

    vae: Vae
    renderer: LandmarkRenderer
    """Renderer of landmarks in the style that the VAE was trained on."""
    motion: MotionDiffusion | None
    """None: the run is one of the VAE alone."""
    facts: WeightFacts
    """Landmark scheme, and speech encoder where there is a motion network."""
    sde: VpSde
    """Process that the motion network was trained on."""
    label: str
    """Folder and step, for messages and for the tag in the video."""

    @property
    def size_px(self) -> int:
        """Width and height of its frames."""
        return self.vae.config.image_px


def load_networks(folder: RunFolder, device: str | torch.device) -> RunNetworks:
    """Return the networks of a run's checkpoint, the newest where none is named, on `device`.

    Raises:
        RunFolderError: the folder is no run, has no checkpoint yet, or states an impossible noise schedule.
        WeightsError: a file is damaged or holds another network.
    """
    newest = folder.weights()
    has_motion = folder.holds(folder.vae)
    facts = read_facts(newest)
    vae_facts = WeightFacts(landmark_scheme=facts.landmark_scheme, speech_encoder=None)
    vae_weights = folder.vae if has_motion else newest
    if (scheme := read_facts(vae_weights).landmark_scheme) != facts.landmark_scheme:
        raise WeightsError(
            f"{newest} was trained on landmarks {facts.landmark_scheme!r}, and its VAE {vae_weights} on {scheme!r}; "
            "give a run as `gaia-train diffusion` wrote it"
        )
    vae = load_weights(vae_weights, Vae, VaeConfig, vae_facts).to(device)
    motion = load_weights(newest, MotionDiffusion, MotionDiffusionConfig, facts).to(device) if has_motion else None
    image = LandmarkImageConfig(scheme=facts.landmark_scheme, image_px=vae.config.image_px)
    return RunNetworks(
        vae=vae,
        renderer=LandmarkRenderer(image).to(device),
        motion=motion,
        facts=facts,
        sde=_sde(folder),
        label=folder.label(),
    )


def _sde(folder: RunFolder) -> VpSde:
    values = folder.record().settings.get("sde") if folder.holds(folder.run_record) else None
    if values is None:  # a run of the VAE, or weights alone
        return VpSde()
    try:
        return VpSde(**asdict(restored(SdeConfig, values, f"{folder.run_record}: sde")))
    except SettingsError as error:
        raise RunFolderError(f"{error}; use it with the version that trained it") from error

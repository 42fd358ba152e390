"""Training of talking avatars on a dataset: the VAE, latents of the clips, the motion diffusion model.

Names are loaded when they are first used, so that `import training` loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.experiments.experiment import Experiment, experiment_names, load_experiment, read_experiment
    from training.results import LatentsResult, TrainingResult
    from training.train import encode_latents, train_diffusion, train_experiment, train_vae

__all__ = [
    "Experiment",
    "LatentsResult",
    "TrainingResult",
    "encode_latents",
    "experiment_names",
    "load_experiment",
    "read_experiment",
    "train_diffusion",
    "train_experiment",
    "train_vae",
]

_MODULES = {
    "Experiment": "training.experiments.experiment",
    "LatentsResult": "training.results",
    "TrainingResult": "training.results",
    "encode_latents": "training.train",
    "experiment_names": "training.experiments.experiment",
    "load_experiment": "training.experiments.experiment",
    "read_experiment": "training.experiments.experiment",
    "train_diffusion": "training.train",
    "train_experiment": "training.train",
    "train_vae": "training.train",
}


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

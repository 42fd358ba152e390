"""Training of talking avatars on a dataset: the VAE, latents of the clips, the motion diffusion model.

Names are loaded when they are first used, so that `import training` loads no torch.
"""

from typing import TYPE_CHECKING

from foundation.lazy import lazy_attributes

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

if TYPE_CHECKING:
    from training.experiments.experiment import Experiment, experiment_names, load_experiment, read_experiment
    from training.results import LatentsResult, TrainingResult
    from training.train import encode_latents, train_diffusion, train_experiment, train_vae
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
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
        },
    )

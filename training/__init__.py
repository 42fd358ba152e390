"""Training of talking avatars on a dataset: VAE, latents of the clips, motion diffusion model; results compared.

Names are loaded when they are first used, so that `import training` loads no torch.
"""

from typing import TYPE_CHECKING

from foundation.lazy import lazy_attributes

__all__ = [
    "EvaluationTable",
    "Experiment",
    "ExperimentRow",
    "ExperimentTable",
    "LatentsResult",
    "RatingTable",
    "RunEvaluation",
    "TextsResult",
    "TrainingResult",
    "WrittenSheet",
    "encode_latents",
    "encode_texts",
    "evaluate_outputs",
    "evaluate_run",
    "experiment_names",
    "load_experiment",
    "rating_table",
    "read_experiment",
    "train_and_evaluate",
    "train_diffusion",
    "train_experiment",
    "train_vae",
    "write_rating_sheet",
]

if TYPE_CHECKING:
    from training.comparison.evaluate_outputs import evaluate_outputs
    from training.comparison.evaluation_table import EvaluationTable
    from training.experiment_rows import ExperimentRow, ExperimentTable, train_and_evaluate
    from training.experiment_training import train_experiment
    from training.experiments.experiment import Experiment, experiment_names, load_experiment, read_experiment
    from training.ratings.rating_table import RatingTable, rating_table
    from training.ratings.sheet import WrittenSheet, write_rating_sheet
    from training.results import LatentsResult, TextsResult, TrainingResult
    from training.run_videos.evaluate_run import RunEvaluation, evaluate_run
    from training.text_encoding import encode_texts
    from training.train import encode_latents, train_diffusion, train_vae
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "EvaluationTable": "training.comparison.evaluation_table",
            "Experiment": "training.experiments.experiment",
            "ExperimentRow": "training.experiment_rows",
            "ExperimentTable": "training.experiment_rows",
            "LatentsResult": "training.results",
            "RatingTable": "training.ratings.rating_table",
            "RunEvaluation": "training.run_videos.evaluate_run",
            "TextsResult": "training.results",
            "TrainingResult": "training.results",
            "WrittenSheet": "training.ratings.sheet",
            "encode_latents": "training.train",
            "encode_texts": "training.text_encoding",
            "evaluate_outputs": "training.comparison.evaluate_outputs",
            "evaluate_run": "training.run_videos.evaluate_run",
            "experiment_names": "training.experiments.experiment",
            "load_experiment": "training.experiments.experiment",
            "rating_table": "training.ratings.rating_table",
            "read_experiment": "training.experiments.experiment",
            "train_and_evaluate": "training.experiment_rows",
            "train_diffusion": "training.train",
            "train_experiment": "training.experiment_training",
            "train_vae": "training.train",
            "write_rating_sheet": "training.ratings.sheet",
        },
    )

"""A small VAE that trains in seconds on made clips; its GAN begins with step 3.

`python tests/helpers/small_vae.py RUN DATASET NAME=VALUE...` trains it, under torchrun too. DIE_AFTER=N kills the
process before step N + 1, with SIGKILL.
"""

import sys
from pathlib import Path

import torch

from foundation.settings import changed_settings, settings_of
from helpers.toy_task import die_if_asked
from models.run_folder import RunFolder
from models.vae.discriminator import DiscriminatorConfig
from models.vae.vae import VaeConfig
from training.loop.config import TrainConfig
from training.loop.loop import TrainReport, train
from training.loop.parallel import Ranks, ranks_of_environment
from training.loop.progress import TrainProgress
from training.vae.config import VaeRate, VaeTrainingConfig
from training.vae.loss import VaeLossConfig
from training.vae.perceptual import PerceptualConfig
from training.vae.task import VaeTask

SMALL_VAE = VaeTrainingConfig(
    model=VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1), groups=2, image_px=32),
    discriminator=DiscriminatorConfig(width=8, n_strided=2, groups=4),
    train=TrainConfig(
        steps=10,
        batch=4,
        micro_batch=4,
        workers=0,
        precision="fp32",
        checkpoint_every=5,
        pictures_every=5,
        log_every=1,
        tensorboard=False,
    ),
    loss=VaeLossConfig(gan_start_step=3),
    perceptual=PerceptualConfig(network="none"),
    rate=VaeRate(base=1e-3, times_batch=False, highest=1e-3, warmup_steps=4),
    held_out_share=0.1,
    check_pairs=6,
)


def train_small_vae(
    run: Path, dataset: Path, config: VaeTrainingConfig = SMALL_VAE, ranks: Ranks | None = None
) -> TrainReport:
    torch.manual_seed(1)
    with TrainProgress(sys.stderr) as progress:
        return train(
            VaeTask(dataset, config),
            config.train,
            RunFolder(run),
            ranks or Ranks(device=torch.device("cpu")),
            preset="recommended",
            settings=settings_of(config),
            progress=progress,
        )


def main() -> None:
    torch.set_num_threads(1)
    die_if_asked()
    run, dataset, *overrides = sys.argv[1:]
    with ranks_of_environment("cpu") as ranks:
        train_small_vae(Path(run), Path(dataset), changed_settings(SMALL_VAE, None, overrides), ranks)


if __name__ == "__main__":
    main()

"""Training tasks on random numbers: GAIA's networks and diffusers' autoencoder with their losses, without a dataset.

Shapes: B samples, T frames, D numbers of a latent, F speech features, P angles, C channels, H rows, W columns,
K landmarks.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from foundation.array_types import RgbImage
from models.motion.config import MOTION_DIFFUSION_SIZES
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Dropped, MotionInputs
from models.pixels import to_float
from models.run_record import DataRecord
from models.sampling.sde import VpSde
from models.vae.blocks import ResBlock
from models.vae.discriminator import DISCRIMINATORS, Discriminator
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.lpips import Lpips
from models.vae.vae import VAE_SIZES, LatentNoise, Vae
from models.weights import WeightFacts
from training.data.identity import LearntData
from training.data.order import SampleKey
from training.diffusion.loss import DiffusionDraws, diffusion_loss
from training.diffusion.samples import DiffusionBatch
from training.loop.task import Export, Step, Trainable
from training.vae.loss import VaeLossConfig, discriminator_backward, generator_backward
from training.vae.samples import FramePairBatch, VaeBatch

N_FRAMES = 250
"""Length of a sequence of the motion model."""

N_POINTS = 478
SCHEME = "mediapipe478"

PEERS = {
    "tiny": ((16, 32, 32, 64), 1, 4),
    "small": ((128, 256, 512, 512), 2, 32),
    "base": ((256, 512, 1024, 1024), 6, 32),
}
"""Of diffusers' AutoencoderKL, by size: block_out_channels, layers_per_block, norm_num_groups."""

BatchT = TypeVar("BatchT")


@dataclass(frozen=True)
class RandomSource(Generic[BatchT]):
    """A `training.loop.task.BatchSource` of random numbers."""

    make: Callable[[int], BatchT]
    """Returns a batch of so many samples."""

    def __len__(self) -> int:
        """Return a length that no benchmark reaches."""
        return 10**6

    def batch(self, keys: Sequence[SampleKey]) -> BatchT:
        """Return as many samples as there are keys."""
        return self.make(len(keys))


class RandomTask(ABC, Generic[BatchT]):
    """A `training.loop.task.Task` on random numbers; it writes no files and draws no images."""

    name, unit = "benchmark", "samples"

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.source = RandomSource(self.batch)

    @abstractmethod
    def batch(self, n: int) -> BatchT:
        """Return `n` random samples."""

    @abstractmethod
    def trainables(self) -> Mapping[str, Trainable]:
        """Return the networks."""

    @abstractmethod
    def backward(self, step: Step[BatchT]) -> Mapping[str, Tensor]:
        """Add all gradients."""

    def frozen(self) -> Sequence[nn.Module]:
        """Return no network."""
        return []

    def learning_rate(self, _step: int) -> float:
        """Return a rate so low that nothing overflows."""
        return 1e-6

    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        """Return an Adam for each network, with one kernel per step on a GPU."""
        fused = self.device.type == "cuda"
        return [torch.optim.Adam(item.network.parameters(), fused=fused) for item in self.trainables().values()]

    def export(self) -> Export:
        """Return the first network as the averaged one."""
        facts = WeightFacts(landmark_scheme=SCHEME, speech_encoder=None)
        return Export(network=next(iter(self.trainables())), config=None, facts=facts)

    def previews(self) -> Mapping[str, RgbImage]:
        """Return no image."""
        return {}

    def validation(self) -> None:
        """Return nothing: there is no data to hold out."""

    def notes(self) -> Sequence[str]:
        """Return no sentence."""
        return ()

    def data_summary(self) -> str:
        """Return what the data is."""
        return "random numbers"

    def data(self) -> LearntData:
        """Return that of no clips."""
        nothing = hashlib.sha256(b"").hexdigest()
        record = DataRecord(clips=0, clips_sha256=nothing, landmark_scheme=SCHEME, clip_px=1, latents_sha256=None)
        return LearntData(record=record, lines=())

    def write_run_files(self, run: Path, *, accept_changes: bool) -> None:
        """Write nothing."""


class RandomVae(RandomTask[VaeBatch]):
    """GAIA's VAE."""

    def __init__(self, size: str, device: torch.device, *, gan: bool) -> None:
        """Build the networks.

        Args:
            size: key of `VAE_SIZES`.
            device: where it trains; torch's `meta` to count operations.
            gan: all losses, LPIPS among them; else L1 and KL alone.
        """
        super().__init__(device)
        self.config = VAE_SIZES[size]
        self.vae = Vae(self.config)
        self.discriminator = Discriminator(DISCRIMINATORS["tiny" if size == "tiny" else "patch"])
        self.gan = gan
        # Random weights of LPIPS take as much time as the trained ones.
        self.perceptual = Lpips() if gan else None
        self.losses = VaeLossConfig(gan_start_step=0 if gan else 10**9)
        self.renderer = LandmarkRenderer(LandmarkImageConfig(scheme=SCHEME, image_px=self.config.image_px))

    def frozen(self) -> Sequence[nn.Module]:
        """Return the renderer of landmarks, and LPIPS."""
        return [self.renderer, *([] if self.perceptual is None else [self.perceptual])]

    def trainables(self) -> Mapping[str, Trainable]:
        """Return VAE and discriminator."""
        blocks = [part for part in self.vae.modules() if isinstance(part, ResBlock)]
        networks = {"vae": Trainable(network=self.vae, blocks=blocks, channels_last=True)}
        if self.gan:
            networks["discriminator"] = Trainable(network=self.discriminator, blocks=[], channels_last=True)
        return networks

    def batch(self, n: int) -> VaeBatch:
        """Return random frames, landmarks and noise."""
        px = self.config.image_px
        image_i_BCHW, image_j_BCHW = torch.randint(256, (2, n, 3, px, px), dtype=torch.uint8)
        pairs = FramePairBatch(
            image_i_BCHW=image_i_BCHW,
            image_j_BCHW=image_j_BCHW,
            landmarks_BK2=torch.rand(n, N_POINTS, 2) * px,
            valid_BK=torch.ones(n, N_POINTS, dtype=torch.bool),
            damaged=(),
        )
        noise = LatentNoise(torch.randn(n, *self.config.appearance_shape), torch.randn(n, *self.config.motion_shape))
        return VaeBatch(pairs=pairs, noise=noise)

    def backward(self, step: Step[VaeBatch]) -> Mapping[str, Tensor]:
        """Add the gradients of VAE and discriminator."""
        reconstruction = torch.zeros(())
        for batch in step.passes():
            source_BCHW, target_BCHW = levels(batch.pairs.image_i_BCHW), levels(batch.pairs.image_j_BCHW)
            with step.autocast():
                points_BCHW = self.renderer(batch.pairs.landmarks_BK2, batch.pairs.valid_BK)
                output = self.vae(source_BCHW, points_BCHW, batch.noise)
                losses = generator_backward(
                    output,
                    target_BCHW,
                    self.vae.decoder.image,
                    self.discriminator,
                    self.losses,
                    step.number,
                    perceptual=self.perceptual,
                )
                if self.gan:
                    discriminator_backward(target_BCHW, output.image_BCHW, self.discriminator, self.losses, step.number)
            reconstruction = losses.reconstruction
        return {"reconstruction": reconstruction}


class RandomPeer(RandomTask[Tensor]):
    """Diffusers' AutoencoderKL of about as many parameters as GAIA's VAE, with L1 and KL."""

    def __init__(self, size: str, device: torch.device) -> None:
        super().__init__(device)
        from diffusers import AutoencoderKL

        widths, layers, groups = PEERS[size]
        self.px = VAE_SIZES[size].image_px
        # The type checker knows none of its methods.
        self.vae: Any = AutoencoderKL(  # type: ignore[no-untyped-call]
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            block_out_channels=widths,
            layers_per_block=layers,
            norm_num_groups=groups,
            latent_channels=3,
            mid_block_add_attention=False,
        )

    def trainables(self) -> Mapping[str, Trainable]:
        """Return the autoencoder."""
        blocks = [part for part in self.vae.modules() if type(part).__name__ == "ResnetBlock2D"]
        network = Trainable(network=self.vae, blocks=blocks, methods=("encode", "decode"), channels_last=True)
        return {"vae": network}

    def batch(self, n: int) -> Tensor:
        """Return (B, 3, H, W) random images, -1 to 1."""
        images_BCHW = torch.rand(n, 3, self.px, self.px) * 2 - 1
        return images_BCHW.contiguous(memory_format=torch.channels_last)

    def backward(self, step: Step[Tensor]) -> Mapping[str, Tensor]:
        """Add the gradients of the autoencoder."""
        loss = torch.zeros(())
        for image_BCHW in step.passes():
            with step.autocast():
                posterior = self.vae.encode(image_BCHW).latent_dist
                decoded_BCHW = self.vae.decode(posterior.sample()).sample
            loss = (decoded_BCHW.float() - image_BCHW).abs().sum() / len(image_BCHW) + 1e-6 * posterior.kl().mean()
            torch.autograd.backward(loss)
        return {"reconstruction": loss.detach()}


class RandomDiffusion(RandomTask[DiffusionBatch]):
    """GAIA's motion diffusion model."""

    def __init__(self, size: str, device: torch.device) -> None:
        super().__init__(device)
        self.config = MOTION_DIFFUSION_SIZES[size]
        self.model = MotionDiffusion(self.config)
        self.sde = VpSde()

    def trainables(self) -> Mapping[str, Trainable]:
        """Return the model."""
        encoder = self.model.speech
        blocks = [*self.model.blocks, *(encoder.blocks if encoder is not None else ())]
        return {"model": Trainable(network=self.model, blocks=blocks)}

    def batch(self, n: int) -> DiffusionBatch:
        """Return random latents, conditions and draws."""
        target_BTD = torch.randn(n, N_FRAMES, self.config.target_dims)
        never_B = torch.zeros(n, dtype=torch.bool)
        inputs = MotionInputs(
            mask_BT=torch.ones(n, N_FRAMES, dtype=torch.bool),
            reference_BD=target_BTD[:, 0].clone(),
            speech_BTF=torch.randn(n, N_FRAMES, self.config.speech_dim),
            pose_deg_BTP=torch.randn(n, N_FRAMES, 3),
        )
        draws = DiffusionDraws(torch.rand(n), torch.randn_like(target_BTD), Dropped(never_B, never_B), never_B)
        return DiffusionBatch(target_BTD=target_BTD, inputs=inputs, draws=draws, damaged=())

    def backward(self, step: Step[DiffusionBatch]) -> Mapping[str, Tensor]:
        """Add the gradients of the model."""
        loss = torch.zeros(())
        for batch in step.passes():
            with step.autocast():
                loss = diffusion_loss(self.model, batch.inputs, batch.target_BTD, batch.draws, self.sde).loss()
            torch.autograd.backward(loss)
        return {"loss": loss.detach()}


def random_task(network: str, device: torch.device) -> RandomTask[Any]:
    """Return the task of a name such as `vae:small`."""
    kind, size = network.split(":")
    if kind == "peer":
        return RandomPeer(size, device)
    return RandomDiffusion(size, device) if kind == "diffusion" else RandomVae(size, device, gan=kind == "vae")


def levels(image_BCHW: Tensor) -> Tensor:
    """Return uint8 images as -1 to 1, with the channels last in memory."""
    return to_float(image_BCHW).to(memory_format=torch.channels_last)

"""How fast the networks learn: images or sequences per second, share of the card's peak (MFU), memory.

Each case is a process of its own that takes real optimiser steps of `training.loop.session` on random data: forward and
backward passes, gradient norms, Adam, averaged weights; no loader. Prints one JSON line. Per case:

- `per_second`: images, or sequences of 250 frames.
- `mfu`: floating-point operations of forward and backward passes per second (counted by torch on the meta device,
  without what checkpointing repeats), over the card's peak in bfloat16; null where that is not known.
- `memory_gib`: most bytes that tensors took on the GPU; on a CPU, of the process.
- `largest`: with `--profile`, the three operators that take the most time, with their shares.

`vae` trains with all losses, LPIPS among them, `vae_plain` with L1 and KL alone, as does `peer`: diffusers'
AutoencoderKL of about as many parameters (it has one encoder, where GAIA's VAE has two).

    python benchmarks/train.py [--networks vae:small,diffusion:base] [--variants plain,compile] [--profile]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.motion.config import MOTION_DIFFUSION_SIZES
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Dropped, MotionInputs
from models.sampling.sde import VpSde
from models.vae.blocks import ResBlock
from models.vae.discriminator import DISCRIMINATORS, Discriminator
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.lpips import Lpips
from models.vae.vae import VAE_SIZES, LatentNoise, Vae
from models.weights import WeightFacts
from training.data.order import SampleKey
from training.diffusion.loss import DiffusionDraws, diffusion_loss
from training.loop.config import TrainConfig
from training.loop.parallel import Ranks
from training.loop.session import Session
from training.loop.task import Export, Step, Trainable, moved
from training.vae.loss import VaeLossConfig, discriminator_backward, generator_backward

FRAMES = 250
N_POINTS = 478
ON_GPU = ("vae:small", "vae_plain:small", "peer:small", "vae:base", "vae_plain:base", "peer:base")
ON_GPU += ("diffusion:small", "diffusion:base", "diffusion:large")
ON_CPU = ("vae:tiny", "vae_plain:tiny", "peer:tiny", "diffusion:tiny")
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "compile": {"compile": True},
    "block": {"activation_checkpointing": "block"},
    "selective": {"activation_checkpointing": "selective"},
    "compile+block": {"compile": True, "activation_checkpointing": "block"},
}
BATCHES = {"vae:small": 32, "vae:base": 8, "vae:large": 2, "diffusion:small": 128, "diffusion:base": 128}
PEERS = {  # block_out_channels, layers_per_block, norm_num_groups
    "tiny": ((16, 32, 32, 64), 1, 4),
    "small": ((128, 256, 512, 512), 2, 32),
    "base": ((256, 512, 1024, 1024), 6, 32),
}
PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "L4": 121.0, "4090": 165.0}
"""In bfloat16, dense, as the makers' data sheets say, by a part of the card's name."""


class VaeBatch(NamedTuple):
    """Random frames i and j, landmarks of j, noise of both latents."""

    image_i_BCHW: Tensor
    image_j_BCHW: Tensor
    landmarks_BK2: Tensor
    valid_BK: Tensor
    noise: LatentNoise


class DiffusionBatch(NamedTuple):
    """Random latents, conditions and draws."""

    target_BTD: Tensor
    inputs: MotionInputs
    draws: DiffusionDraws


class Sized:
    """A source of so many samples: the session asks for no more of it."""

    def __len__(self) -> int:
        return 10**6

    def batch(self, keys: Sequence[SampleKey]) -> None:
        """Not called: batches are made once."""


@dataclass
class Bench:
    """A task for the session, less what the loop alone needs."""

    device: torch.device
    name, unit, source = "benchmark", "samples", Sized()

    def frozen(self) -> Sequence[nn.Module]:
        """None."""
        return []

    def learning_rate(self, _step: int) -> float:
        """So low that nothing overflows."""
        return 1e-6

    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        """Adam for each network, one kernel per step on a GPU."""
        fused = self.device.type == "cuda"
        return [torch.optim.Adam(item.network.parameters(), fused=fused) for item in self.trainables().values()]

    def trainables(self) -> Mapping[str, Trainable]:
        """Return the networks."""
        raise NotImplementedError

    def export(self) -> Export:
        """Return which network is averaged: the first."""
        facts = WeightFacts(landmark_scheme="mediapipe478", speech_encoder=None)
        return Export(network=next(iter(self.trainables())), config=None, facts=facts)

    def pictures(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def data_summary(self) -> str:
        """Nothing to say."""
        return "random numbers"

    def write_run_files(self, run: Path) -> None:
        """Write none."""


class VaeBench(Bench):
    """The VAE, with all losses or with L1 and KL alone."""

    def __init__(self, size: str, device: torch.device, *, gan: bool) -> None:
        super().__init__(device)
        self.config = VAE_SIZES[size]
        self.vae = Vae(self.config)
        self.discriminator = Discriminator(DISCRIMINATORS["tiny" if size == "tiny" else "patch"])
        self.gan = gan
        self.perceptual = Lpips() if gan else None
        self.losses = VaeLossConfig(gan_start_step=0 if gan else 10**9)
        self.renderer = LandmarkRenderer(LandmarkImageConfig(scheme="mediapipe478", image_px=self.config.image_px))

    def frozen(self) -> Sequence[nn.Module]:
        """Return what draws landmarks, and LPIPS with random weights: what they are takes no more or less time."""
        return [self.renderer, *([] if self.perceptual is None else [self.perceptual])]

    def trainables(self) -> Mapping[str, Trainable]:
        """Return VAE and discriminator."""
        blocks = [part for part in self.vae.modules() if isinstance(part, ResBlock)]
        found = {"vae": Trainable(network=self.vae, blocks=blocks, channels_last=True)}
        if self.gan:
            found["discriminator"] = Trainable(network=self.discriminator, blocks=[], channels_last=True)
        return found

    def batch(self, n: int) -> VaeBatch:
        """Return random numbers."""
        px = self.config.image_px
        image_i, image_j = torch.rand(2, n, 3, px, px) * 2 - 1
        return VaeBatch(
            image_i.contiguous(memory_format=torch.channels_last),
            image_j.contiguous(memory_format=torch.channels_last),
            torch.rand(n, N_POINTS, 2) * px,
            torch.ones(n, N_POINTS, dtype=torch.bool),
            LatentNoise(torch.randn(n, *self.config.appearance_shape), torch.randn(n, *self.config.motion_shape)),
        )

    def backward(self, step: Step[VaeBatch]) -> Mapping[str, Tensor]:
        """Add all gradients."""
        for batch in step.passes():
            with step.autocast():
                points_BCHW = self.renderer(batch.landmarks_BK2, batch.valid_BK)
                output = self.vae(batch.image_i_BCHW, points_BCHW, batch.noise)
                losses = generator_backward(
                    output,
                    batch.image_j_BCHW,
                    self.vae.decoder.image,
                    self.discriminator,
                    self.losses,
                    step.number,
                    perceptual=self.perceptual,
                )
                if self.gan:
                    discriminator_backward(
                        batch.image_j_BCHW, output.image_BCHW, self.discriminator, self.losses, step.number
                    )
        return {"reconstruction": losses.reconstruction}


class PeerBench(Bench):
    """Diffusers' autoencoder with L1 and KL."""

    def __init__(self, size: str, device: torch.device) -> None:
        super().__init__(device)
        from diffusers import AutoencoderKL

        widths, layers, groups = PEERS[size]
        self.px = VAE_SIZES[size].image_px
        self.vae: nn.Module = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            block_out_channels=widths,
            layers_per_block=layers,
            norm_num_groups=groups,
            latent_channels=3,
            mid_block_add_attention=False,
        )
        if device.type == "cuda":
            self.vae.to(memory_format=torch.channels_last)

    def trainables(self) -> Mapping[str, Trainable]:
        """Return the autoencoder."""
        blocks = [part for part in self.vae.modules() if type(part).__name__ == "ResnetBlock2D"]
        return {"vae": Trainable(network=self.vae, blocks=blocks, methods=("encode", "decode"))}

    def batch(self, n: int) -> Tensor:
        """Return random pictures."""
        return (torch.rand(n, 3, self.px, self.px) * 2 - 1).contiguous(memory_format=torch.channels_last)

    def backward(self, step: Step[Tensor]) -> Mapping[str, Tensor]:
        """Add all gradients."""
        for image_BCHW in step.passes():
            with step.autocast():
                posterior = self.vae.encode(image_BCHW).latent_dist
                decoded_BCHW = self.vae.decode(posterior.sample()).sample
            loss = (decoded_BCHW.float() - image_BCHW).abs().sum() / len(image_BCHW) + 1e-6 * posterior.kl().mean()
            loss.backward()
        return {"reconstruction": loss.detach()}


class DiffusionBench(Bench):
    """The motion diffusion model."""

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
        """Return random numbers."""
        target_BTD = torch.randn(n, FRAMES, self.config.target_dims)
        never_B = torch.zeros(n, dtype=torch.bool)
        return DiffusionBatch(
            target_BTD,
            MotionInputs(
                mask_BT=torch.ones(n, FRAMES, dtype=torch.bool),
                reference_BD=target_BTD[:, 0].clone(),
                speech_BTF=torch.randn(n, FRAMES, self.config.speech_dim),
                pose_deg_BTP=torch.randn(n, FRAMES, 3),
            ),
            DiffusionDraws(torch.rand(n), torch.randn_like(target_BTD), Dropped(never_B, never_B), never_B),
        )

    def backward(self, step: Step[DiffusionBatch]) -> Mapping[str, Tensor]:
        """Add all gradients."""
        for batch in step.passes():
            with step.autocast():
                loss = diffusion_loss(self.model, batch.inputs, batch.target_BTD, batch.draws, self.sde).loss()
            loss.backward()
        return {"loss": loss.detach()}


def bench_of(network: str, device: torch.device) -> Any:  # noqa: ANN401 - one of the three, each with batches of its own
    """Return the task of a name such as `vae:small`."""
    kind, size = network.split(":")
    if kind == "peer":
        return PeerBench(size, device)
    return DiffusionBench(size, device) if kind == "diffusion" else VaeBench(size, device, gan=kind == "vae")


class CountedStep(Step[Any]):
    """A step on the meta device, which knows no autocast; operations are as many without it."""

    def autocast(self) -> torch.autocast:
        """Return a context that does nothing."""
        return torch.autocast("cpu", enabled=False)


def operations(network: str) -> float:
    """Return the floating-point operations of forward and backward passes of one sample."""
    device = torch.device("meta")
    with device:
        bench = bench_of(network, device)
        batch = bench.batch(1)
    with FlopCounterMode(display=False) as counter:
        if isinstance(bench, VaeBench):  # drawing landmarks asks tensors for their values, so it is left out
            output = bench.vae(batch.image_i_BCHW, batch.image_j_BCHW, batch.noise)
            losses = replace(bench.losses, gan_start_step=1)
            generator_backward(output, batch.image_j_BCHW, bench.vae.decoder.image, bench.discriminator, losses, 0)
            if bench.perceptual is not None:  # by itself, because the counter refuses gradients at a picture
                image_BCHW = batch.image_j_BCHW.detach().requires_grad_()
                bench.perceptual.requires_grad_(False)(image_BCHW, batch.image_i_BCHW).sum().backward()
            if bench.gan:
                for parameters_learn in (False, True, True):  # the VAE's pass; real and generated pictures
                    bench.discriminator.requires_grad_(parameters_learn)
                    image_BCHW = batch.image_j_BCHW.detach().requires_grad_(not parameters_learn)
                    bench.discriminator(image_BCHW).sum().backward()
        else:
            step = CountedStep(number=0, batches=[batch], ranks=Ranks(device=device), networks=[], bf16=False)
            bench.backward(step)
    return float(counter.get_total_flops())


def measure(network: str, variant: str, batch_size: int, steps: int, *, profile: bool) -> dict[str, Any]:
    """Return the figures of one case."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    config = TrainConfig(steps=1, batch=batch_size, micro_batch=batch_size, max_gradient_norm=1.0, workers=0)
    if device.type == "cpu":
        config = replace(config, precision="fp32")
    bench = bench_of(network, device)
    session: Session[Any] = Session(bench, replace(config, **VARIANTS[variant]), Ranks(device=device))
    batch = moved(bench.batch(batch_size), device)
    for _ in range(3):  # compiles, chooses kernels, makes room for moments
        session.step([batch])
    begun_s = _now_s(device)
    for _ in range(steps):
        session.step([batch])
    per_second = steps * batch_size / (_now_s(device) - begun_s)
    peak = next((tflops for name, tflops in PEAK_TFLOPS.items() if name in _device_name(device)), None)
    flops = operations(network)
    return {
        "batch": batch_size,
        "parameters_m": round(sum(session.n_parameters.values()) / 1e6, 2),
        "tflop_per_sample": round(flops / 1e12, 4),
        "per_second": round(per_second, 2),
        "mfu": None if peak is None else round(per_second * flops / (peak * 1e12), 3),
        "memory_gib": round(_memory(device) / 2**30, 2),
        **({"largest": _largest(session, batch, device)} if profile else {}),
    }


def _now_s(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "CPU"


def _largest(session: Session[Any], batch: Any, device: torch.device) -> list[tuple[str, float]]:  # noqa: ANN401
    from torch.profiler import ProfilerActivity

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        session.step([batch])
        _now_s(device)
    spent = {
        event.key: event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total
        for event in profiler.key_averages()
    }
    total = sum(spent.values()) or 1.0
    return [(name, round(us / total, 3)) for name, us in sorted(spent.items(), key=lambda item: -item[1])[:3]]


def cases(networks: Sequence[str], variants: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each network in each variant."""
    for network in networks:
        for variant in variants:
            yield network, variant


def main() -> None:
    """Run the cases, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", help=f"default on a GPU {','.join(ON_GPU)}, else {','.join(ON_CPU)}")
    parser.add_argument("--variants", default="plain,compile,block", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--batch", type=int, help="samples per step; default by network, 2 on a CPU")
    parser.add_argument("--steps", type=int, default=20, help="that are timed, after 3")
    parser.add_argument("--profile", action="store_true", help="name the three largest costs of each case")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    if arguments.case:
        network, variant = arguments.case.split(",")
        known = BATCHES.get(network.replace("vae_plain", "vae").replace("peer", "vae"), 64)
        batch = arguments.batch or (known if on_gpu else 2)
        print(json.dumps(measure(network, variant, batch, arguments.steps, profile=arguments.profile)))
        return
    networks = arguments.networks.split(",") if arguments.networks else (ON_GPU if on_gpu else ON_CPU)
    results = []
    for network, variant in cases(networks, arguments.variants.split(",")):
        command = [sys.executable, __file__, "--case", f"{network},{variant}", "--steps", str(arguments.steps)]
        command += ["--batch", str(arguments.batch)] if arguments.batch else []
        command += ["--profile"] if arguments.profile else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        figures = (
            json.loads(done.stdout.splitlines()[-1])
            if done.returncode == 0
            else {"error": (done.stderr.strip().splitlines() or ["killed"])[-1]}
        )
        results.append({"network": network, "variant": variant, **figures})
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    device = _device_name(torch.device("cuda" if on_gpu else "cpu"))
    print(
        json.dumps({"device": device, "torch": torch.__version__, "threads": torch.get_num_threads(), "cases": results})
    )


if __name__ == "__main__":
    main()

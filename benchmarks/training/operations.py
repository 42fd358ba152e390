"""Count the floating-point operations of a training step on torch's meta device, without what checkpointing repeats."""

from dataclasses import replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training.tasks import RandomTask, RandomVae, levels, random_task
from training.loop.parallel import Ranks
from training.loop.task import Step
from training.vae.loss import generator_backward


class _CountedStep(Step[Any]):
    """A step on the meta device, which knows no autocast; the number of operations is the same without it."""

    def autocast(self) -> torch.autocast:
        """Return a context that does nothing."""
        return torch.autocast("cpu", enabled=False)


def operations(network: str) -> float:
    """Return the floating-point operations of the forward and backward passes of one sample.

    Args:
        network: kind and size, such as `vae:small`.
    """
    device = torch.device("meta")
    with device:
        task = random_task(network, device)
    with FlopCounterMode(display=False) as counter:
        if isinstance(task, RandomVae):
            _vae_passes(task, device)
        else:
            _passes(task, device)
    return float(counter.get_total_flops())


def _passes(task: RandomTask[Any], device: torch.device) -> None:
    with device:
        batch = task.batch(1)
    task.backward(_CountedStep(number=0, batches=[batch], ranks=Ranks(device=device), networks=[], bf16=False))


def _vae_passes(task: RandomVae, device: torch.device) -> None:
    """Run the passes of the networks; the renderer is left out, because it reads values, which meta tensors lack."""
    with device:
        batch = task.batch(1)
    source_BCHW, target_BCHW = levels(batch.pairs.image_i_BCHW), levels(batch.pairs.image_j_BCHW)
    output = task.vae(source_BCHW, target_BCHW, batch.noise)
    losses = replace(task.losses, gan_start_step=1)
    generator_backward(output, target_BCHW, task.vae.decoder.image, task.discriminator, losses, 0)
    if task.perceptual is not None:  # by itself, because the counter refuses gradients with respect to an image
        image_BCHW = target_BCHW.detach().requires_grad_()
        torch.autograd.backward(task.perceptual.requires_grad_(requires_grad=False)(image_BCHW, source_BCHW).sum())
    if task.gan:
        for parameters_learn in (False, True, True):  # the VAE's pass; real and generated images
            task.discriminator.requires_grad_(parameters_learn)
            image_BCHW = target_BCHW.detach().requires_grad_(not parameters_learn)
            torch.autograd.backward(task.discriminator(image_BCHW).sum())

"""LPIPS of pictures against the true ones (Zhang et al., "The Unreasonable Effectiveness of Deep Features", 2018).

Version 0.1, equation 1: d(x, y) = sum_l 1 / (H_l W_l) sum_hw | w_l * (x_lhw - y_lhw) |^2, with features of layer l
scaled to length 1 over channels; the network is `models.vae.lpips.Lpips`, on AlexNet or VGG-16. The two give different
figures. Publications rarely say which they take; AlexNet is the default of the authors' package. Both files of a
backbone are the user's.

Shapes: T pictures, H rows, W columns, 3 channels.
"""

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import Float64Array, UInt8Array
from foundation.errors import UsageError
from models.vae.lpips import Backbone, Lpips
from training.evaluation.metric_weights import metric_tensors

__all__ = ["lpips", "lpips_network"]

_SMALLEST_PX = 32
"""Smaller pictures vanish before the last layer."""


def lpips_network(backbone: Backbone, device: torch.device) -> Lpips:
    """Return LPIPS with its published weights.

    Raises:
        MissingAssetsError: files are not on this machine.
        AssetError: a file has another digest, or holds more than tensors.
    """
    network = Lpips(backbone)
    network.load_published(*metric_tensors("lpips_alex" if backbone == "alexnet" else "lpips_vgg"))
    return network.eval().requires_grad_(requires_grad=False).to(device)


@torch.inference_mode()
def lpips(network: Lpips, generated_THW3: UInt8Array, truth_THW3: UInt8Array) -> Float64Array:
    """Return the (T,) distances, 0 for equal pictures.

    Args:
        network: of `lpips_network`.
        generated_THW3: pictures of 8 bits, RGB; as many as fit into memory at once.
        truth_THW3: likewise, of the same size.

    Raises:
        UsageError: the shapes differ, or the pictures are smaller than 32x32 pixels.
    """
    if generated_THW3.shape != truth_THW3.shape or generated_THW3.ndim != 4:
        raise UsageError(
            f"generated pictures have the shape {generated_THW3.shape} and true ones {truth_THW3.shape}; "
            "give (T, H, W, 3) of both"
        )
    if min(generated_THW3.shape[1:3]) < _SMALLEST_PX:
        height, width = generated_THW3.shape[1:3]
        raise UsageError(f"pictures of {width}x{height} have no LPIPS: give at least {_SMALLEST_PX}x{_SMALLEST_PX}")
    distances: Tensor = network(_scaled(generated_THW3, network), _scaled(truth_THW3, network))
    return distances.cpu().numpy().astype(np.float64)


def _scaled(pictures_THW3: UInt8Array, network: Lpips) -> Tensor:
    """Return (T, 3, H, W) pictures in -1 to 1 on the network's device."""
    pictures = torch.from_numpy(np.ascontiguousarray(pictures_THW3)).to(network.shift_3HW.device)
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0

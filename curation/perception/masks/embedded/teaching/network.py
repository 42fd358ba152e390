"""The network: plain 3x3 convolutions, about 120,000 weights.

Depthwise separable ones were tried first: on a CPU a training step of theirs takes twice as long.
"""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["mask_network", "merged"]

_BLOCKS = ((24, 2), (32, 2), (32, 1), (48, 2), (48, 1), (64, 2), (64, 1))
"""Channels and stride of each convolution; an image of 64 px ends as 4x4."""

_LAST_CELLS = 16


def mask_network() -> nn.Sequential:
    """Return an untrained network from (F, 3, 64, 64) RGB in -1 to 1 to the (F, 1) logit of a covered mouth."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs, stride in _BLOCKS:
        layers += [
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        inputs = outputs
    # The mouth lies in one place, so that each of the 4x4 cells has weights of its own.
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(inputs * _LAST_CELLS, 1))


def merged(network: nn.Sequential) -> nn.Sequential:
    """Return a network in evaluation mode that gives the same, each normalisation merged into its convolution."""
    layers: list[nn.Module] = []
    for layer in network.eval():
        if isinstance(layer, nn.BatchNorm2d) and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()

"""The network: depthwise separable convolutions, about 80,000 weights (after MobileNet, Howard et al., 2017)."""

from torch import nn

__all__ = ["mask_network"]

_STEM_CHANNELS = 24
_BLOCKS = ((48, 2), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (192, 2))
"""Channels and stride of each block; a picture of 64 px ends as 4x4."""


def mask_network() -> nn.Sequential:
    """Return an untrained network from (F, 3, 64, 64) RGB in -1 to 1 to the (F, 1) logit of a mask."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, _STEM_CHANNELS, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(_STEM_CHANNELS),
        nn.ReLU(inplace=True),
    ]
    inputs = _STEM_CHANNELS
    for outputs, stride in _BLOCKS:
        layers += [
            nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(inputs, 1))

"""The network of 3DDFA_V2: MobileNet-V1 from a face crop to 62 whitened numbers (Guo et al., ECCV 2020).

Architecture and parameter names are those of github.com/cleardusk/3DDFA_V2 (MIT), so that its checkpoints load.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import nn

__all__ = ["INPUT_PX", "N_PARAMETERS", "load_three_ddfa_network", "three_ddfa_network"]

INPUT_PX = 120
"""Side of the crop."""

N_PARAMETERS = 62
"""12 of the camera, 40 of the face's shape, 10 of its expression."""

_BLOCKS = (
    ("dw2_1", 64, 1),
    ("dw2_2", 128, 2),
    ("dw3_1", 128, 1),
    ("dw3_2", 256, 2),
    ("dw4_1", 256, 1),
    ("dw4_2", 512, 2),
    ("dw5_1", 512, 1),
    ("dw5_2", 512, 1),
    ("dw5_3", 512, 1),
    ("dw5_4", 512, 1),
    ("dw5_5", 512, 1),
    ("dw5_6", 1024, 2),
    ("dw6", 1024, 1),
)
"""Name, channels at width 1, and stride of each depthwise separable convolution (Howard et al. 2017, table 1)."""


def three_ddfa_network(width: float) -> nn.Sequential:
    """Return an untrained network from (F, 3, 120, 120), BGR, (value - 127.5) / 128, to (F, 62) whitened parameters.

    Args:
        width: multiplier of all channels; 1 for `mb1`, 0.5 for `mb05`.
    """
    channels = int(32 * width)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False),
        bn1=nn.BatchNorm2d(channels),
        relu1=nn.ReLU(inplace=True),
    )
    for name, outputs, stride in _BLOCKS:
        layers[name] = _separable(channels, int(outputs * width), stride)
        channels = int(outputs * width)
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels, N_PARAMETERS)
    return nn.Sequential(layers)


def _separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv_dw=nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
            bn_dw=nn.BatchNorm2d(inputs),
            relu_dw=nn.ReLU(inplace=True),
            conv_sep=nn.Conv2d(inputs, outputs, 1, bias=False),
            bn_sep=nn.BatchNorm2d(outputs),
            relu_sep=nn.ReLU(inplace=True),
        )
    )


def load_three_ddfa_network(weights: Mapping[str, torch.Tensor], width: float) -> nn.Sequential:
    """Return the network with the weights of an official checkpoint, for inference.

    Args:
        weights: as the checkpoint names them: with ``module.`` of the GPUs that it was trained on before the names, and
            the last layer called `fc_param`. `fc_lm`, landmarks that only the training used, is left out.
        width: multiplier of all channels.

    Raises:
        RuntimeError: the weights are of another network; torch's message names what differs.
    """
    network = three_ddfa_network(width)
    named = {name.removeprefix("module.").replace("fc_param.", "fc."): tensor for name, tensor in weights.items()}
    network.load_state_dict({name: tensor for name, tensor in named.items() if not name.startswith("fc_lm.")})
    return network.eval()

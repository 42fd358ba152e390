"""The network of LR-ASD: who speaks, from grey faces and cepstra (Liao et al., IJCV 2025).

Architecture and parameter names are those of github.com/Junhua-Liao/LR-ASD (MIT), so that its checkpoints load. Every
convolution goes over space or over time alone; here each is two-dimensional, over a batch of pictures or over a
picture's pixels in a row, for which runtimes have fast code. The weights are the same numbers in another shape.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

import torch
from torch import nn

__all__ = ["LrAsdDetector", "LrAsdEncoders", "load_lr_asd_network"]

_EMBEDDING = 128
"""Length of what each encoder says of a tick."""

_CHANNELS = ((1, 32), (32, 64), (64, 128))
"""Of what goes into and comes out of the three blocks of either encoder."""

_SIDES = (56, 28, 14)
"""Rows and columns of a face, 112 at first, in the three blocks: the first convolution and two pools halve it."""

_GREY_MEAN, _GREY_DEVIATION = 0.4161, 0.1688
"""Of the grey faces that the network was trained on, in units of white."""

_NORM_EPS = 0.001

_ENCODERS = ("visualEncoder", "audioEncoder")


class LrAsdEncoders(nn.Module):
    """Says of every tick what its face shows and what is heard."""

    def __init__(self) -> None:
        """Make untrained encoders."""
        super().__init__()
        self.visualEncoder = _visual_encoder()
        self.audioEncoder = _audio_encoder()

    def forward(self, faces: torch.Tensor, cepstra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (T, 128) of the faces and (T, 128) of the sound of adjacent ticks.

        Args:
            faces: (T, 112, 112) grey, 0 to 255.
            cepstra: (4 T, 13).
        """
        seen: torch.Tensor = self.visualEncoder((faces[:, None].float() / 255 - _GREY_MEAN) / _GREY_DEVIATION)
        heard: torch.Tensor = self.audioEncoder(cepstra.T[None, None])
        return seen, heard.mean(dim=2)[0].T


class LrAsdDetector(nn.Module):
    """Says whether the face speaks, given what both encoders say."""

    def __init__(self) -> None:
        """Make an untrained detector."""
        super().__init__()
        self.fusion = _Gate(2 * _EMBEDDING)
        self.detector = _Reader()
        self.FC = nn.Linear(_EMBEDDING, 2)

    def forward(self, seen: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        """Return (B, T, 2) logits, silent and speaking, of B stretches of T ticks, given (B, T, 128) of either kind."""
        logits: torch.Tensor = self.FC(self.detector(self.fusion(torch.cat([heard, seen], dim=2))))
        return logits


class _Gate(nn.Module):
    """Weighs every channel of a tick by all channels of that tick."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.Conv1d(channels, channels, 1, bias=False)
        self.bn = nn.BatchNorm1d(channels, eps=_NORM_EPS)

    def forward(self, ticks: torch.Tensor) -> torch.Tensor:
        weights = torch.sigmoid(self.bn(self.attention(ticks.transpose(1, 2)))).transpose(1, 2)
        return ticks * weights


class _Reader(nn.Module):
    """Reads a stretch forwards and backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.gru_forward = nn.GRU(2 * _EMBEDDING, _EMBEDDING // 2, batch_first=True)
        self.gru_backward = nn.GRU(2 * _EMBEDDING, _EMBEDDING // 2, batch_first=True)
        self.attention = _Gate(_EMBEDDING)

    def forward(self, ticks: torch.Tensor) -> torch.Tensor:
        onwards, _ = self.gru_forward(ticks)
        back, _ = self.gru_backward(ticks.flip(1))
        read: torch.Tensor = self.attention(torch.cat([onwards, back.flip(1)], dim=2))
        return read


class _OverTime(nn.Module):
    """Turns (T, C, S, S) pictures into (1, C, T, S * S), whose columns are the pixels."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.flatten(2).transpose(0, 1)[None]


class _OverSpace(nn.Module):
    """Turns (1, C, T, S * S) back into (T, C, S, S)."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def forward(self, columns: torch.Tensor) -> torch.Tensor:
        pictures = columns[0].transpose(0, 1)
        return pictures.reshape(-1, pictures.shape[1], self._side, self._side)


def _visual_encoder() -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, ((inputs, outputs), side) in enumerate(zip(_CHANNELS, _SIDES, strict=True), start=1):
        block = _convolutions("s", inputs, outputs // 2, outputs, lambda size: (size, size), 2 if number == 1 else 1)
        block["over_time"] = _OverTime()
        block |= _convolutions("t", outputs, outputs, outputs, lambda size: (size, 1))
        block["over_space"] = _OverSpace(side)
        layers[f"block{number}"] = nn.Sequential(block)
        layers[f"pool{number}"] = nn.MaxPool2d(3, stride=2, padding=1) if number < 3 else nn.AdaptiveMaxPool2d(1)
    layers["flatten"] = nn.Flatten()
    return nn.Sequential(layers)


def _audio_encoder() -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (inputs, outputs) in enumerate(_CHANNELS, start=1):
        block = _convolutions("m", inputs, outputs // 2, outputs, lambda size: (size, 1))
        block |= _convolutions("t", outputs, outputs, outputs, lambda size: (1, size))
        layers[f"block{number}"] = nn.Sequential(block)
        if number < 3:
            layers[f"pool{number}"] = nn.MaxPool2d((1, 3), stride=(1, 2), padding=(0, 1))
    return nn.Sequential(layers)


def _convolutions(
    letter: str, inputs: int, between: int, outputs: int, kernel: Callable[[int], tuple[int, int]], stride: int = 1
) -> "OrderedDict[str, nn.Module]":
    """Return two convolutions, over 5 and over 3 of pixels, ticks or rows, each with its norm and ReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (size, channels) in enumerate(((5, between), (3, outputs)), start=1):
        rows, columns = kernel(size)
        layers[f"{letter}_{number}"] = nn.Conv2d(
            inputs,
            channels,
            (rows, columns),
            stride=stride if number == 1 else 1,
            padding=(rows // 2, columns // 2),
            bias=False,
        )
        layers[f"{letter}_norm_{number}"] = nn.BatchNorm2d(channels, eps=_NORM_EPS)
        layers[f"{letter}_relu_{number}"] = nn.ReLU()
        inputs = channels
    return layers


def load_lr_asd_network(weights: Mapping[str, torch.Tensor]) -> tuple[LrAsdEncoders, LrAsdDetector]:
    """Return both networks with the weights of an official checkpoint, for inference.

    Args:
        weights: as the checkpoint names them: ``model.`` and ``lossAV.`` before the names. ``lossV``, an output of the
            pictures alone that only the training used, is left out.

    Raises:
        RuntimeError: the weights are of another network; torch's message names what differs.
    """
    encoders, detector = LrAsdEncoders(), LrAsdDetector()
    named = {
        name.removeprefix("model.").removeprefix("lossAV."): _in_a_plane(tensor)
        for name, tensor in weights.items()
        if not name.startswith("lossV.")
    }
    of_encoders = {name: tensor for name, tensor in named.items() if name.partition(".")[0] in _ENCODERS}
    encoders.load_state_dict(of_encoders)
    detector.load_state_dict({name: tensor for name, tensor in named.items() if name not in of_encoders})
    return encoders.eval(), detector.eval()


def _in_a_plane(tensor: torch.Tensor) -> torch.Tensor:
    """Return the kernel of a convolution over space, (O, I, 1, S, S), or time, (O, I, S, 1, 1), in two dimensions."""
    if tensor.dim() != 5:
        return tensor
    return tensor[:, :, 0] if tensor.shape[2] == 1 else tensor[..., 0]

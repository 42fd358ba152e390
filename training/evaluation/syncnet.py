"""SyncNet: embeddings of lips and sound (Chung and Zisserman, "Out of time: automated lip sync in the wild", 2016).

The network of the published `syncnet_v2.model`, whose tensors it loads by their names. Lips are 5 frames in a row at
25 frames a second, a crop of the face of 224x224 pixels, its values 0 to 255, blue before green before red as OpenCV
reads them. Sound is 13 mel-frequency cepstra every 10 ms (`foundation.cepstra`), 20 of them for the same 0.2 s. Window
t is of the frames t to t + 4 and the cepstra 4 t to 4 t + 19. `sync_scores` makes Sync-D and Sync-C of the embeddings.

How the face is cut out changes the figures. In the authors' pipeline the crop is a square: with s half the longer side
of the box of the S3FD face detector, it reaches 1.4 s to the left and right of the middle of the box, s above and 1.8 s
below. Middle and s are medians over 13 frames; the crop is scaled to 224 pixels.

Shapes: T frames or windows, C channels, H rows, W columns, R cepstra in time, D = 1024 numbers of an embedding.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from foundation.array_types import Float32Array, UInt8Array
from foundation.cepstra import N_CEPSTRA
from foundation.errors import UsageError
from foundation.text import count_text
from training.evaluation.metric_weights import load_named, metric_tensors

__all__ = ["CROP_PX", "WINDOW_FRAMES", "SyncNet", "sync_embeddings", "syncnet"]

WINDOW_FRAMES = 5
"""Frames of a window, 0.2 s."""

CROP_PX = 224
"""Side of the crop of a face."""

_ROWS_PER_FRAME = 4
"""Cepstra of a frame, 100 a second over 25."""

_WINDOWS_AT_ONCE = 20
"""That of the published command; bounds the memory."""


class SyncNet(nn.Module):
    """Two networks that map lips and sound of 0.2 s to 1,024 numbers; those of one moment are near each other."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_layers2d(1, 64, 3, 1),
            nn.MaxPool2d(1, 1),
            *_layers2d(64, 192, 3, 1),
            nn.MaxPool2d(3, (1, 2)),
            *_layers2d(192, 384, 3, 1),
            *_layers2d(384, 256, 3, 1),
            *_layers2d(256, 256, 3, 1),
            nn.MaxPool2d(3, (2, 2)),
            *_layers2d(256, 512, (5, 4), 0),
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_layers3d(3, 96, (WINDOW_FRAMES, 7, 7), (1, 2, 2), 0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layers3d(96, 256, (1, 5, 5), (1, 2, 2), 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_layers3d(256, 256, (1, 3, 3), 1, 1),
            *_layers3d(256, 256, (1, 3, 3), 1, 1),
            *_layers3d(256, 256, (1, 3, 3), 1, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layers3d(256, 512, (1, 6, 6), 1, 0),
        )

    def sound(self, cepstra_B1CR: Tensor) -> Tensor:
        """Return (B, 1024) embeddings of (B, 1, 13, 20) cepstra."""
        embeddings: Tensor = self.netfcaud(self.netcnnaud(cepstra_B1CR).flatten(1))
        return embeddings

    def lips(self, frames_BCTHW: Tensor) -> Tensor:
        """Return (B, 1024) embeddings of (B, 3, 5, 224, 224) frames, BGR, 0 to 255."""
        embeddings: Tensor = self.netfclip(self.netcnnlip(frames_BCTHW).flatten(1))
        return embeddings


def _layers2d(channels: int, width: int, kernel: int | tuple[int, int], padding: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, kernel, padding=padding), nn.BatchNorm2d(width), nn.ReLU()]


def _layers3d(
    channels: int, width: int, kernel: tuple[int, int, int], stride: int | tuple[int, int, int], around: int
) -> list[nn.Module]:
    """Return a convolution over frames, rows and columns; `around` pads rows and columns."""
    convolution = nn.Conv3d(channels, width, kernel, stride=stride, padding=(0, around, around))
    return [convolution, nn.BatchNorm3d(width), nn.ReLU()]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))


def syncnet(device: torch.device) -> SyncNet:
    """Return the network with the weights of `syncnet_v2.model`.

    Raises:
        MissingAssetsError: the file is not on this machine.
        AssetError: the file has another digest, or holds more than tensors.
    """
    network = SyncNet()
    load_named(network, metric_tensors("sync")[0])
    return network.to(device)


@torch.inference_mode()
def sync_embeddings(
    network: SyncNet, faces_THW3: UInt8Array, cepstra_RC: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Return the (T - 4, 1024) embeddings of lips and of sound, of every window that fits.

    Args:
        network: of `syncnet`.
        faces_THW3: (T, 224, 224, 3) crops of one face, RGB, at 25 frames a second; at least 5.
        cepstra_RC: (R, 13) of `foundation.cepstra.mel_cepstra`, the first at the time of the first crop; at least 4 T.

    Raises:
        UsageError: the arrays have another shape, or are too short.
    """
    n_frames = len(faces_THW3)
    if faces_THW3.shape[1:] != (CROP_PX, CROP_PX, 3) or n_frames < WINDOW_FRAMES:
        raise UsageError(
            f"crops have the shape {faces_THW3.shape}; "
            f"give (T, {CROP_PX}, {CROP_PX}, 3) of at least {WINDOW_FRAMES} frames"
        )
    if cepstra_RC.ndim != 2 or cepstra_RC.shape[1] != N_CEPSTRA or len(cepstra_RC) < _ROWS_PER_FRAME * n_frames:
        raise UsageError(
            f"cepstra have the shape {cepstra_RC.shape}; of {count_text(n_frames, 'frame')} give "
            f"({_ROWS_PER_FRAME * n_frames}, {N_CEPSTRA})"
        )
    device = next(network.parameters()).device
    lips, sound = [], []
    for first, last in _batches(n_frames - WINDOW_FRAMES + 1):
        frames = np.ascontiguousarray(faces_THW3[first : last + WINDOW_FRAMES - 1, ..., ::-1])
        frames_CTHW = torch.from_numpy(frames).to(device).permute(3, 0, 1, 2).float()
        windows = frames_CTHW.unfold(1, WINDOW_FRAMES, 1).permute(1, 0, 4, 2, 3)
        lips.append(network.lips(windows).cpu().numpy())
        rows = torch.from_numpy(cepstra_RC[_ROWS_PER_FRAME * first : _ROWS_PER_FRAME * (last + WINDOW_FRAMES - 1)])
        heard = rows.to(device).unfold(0, _ROWS_PER_FRAME * WINDOW_FRAMES, _ROWS_PER_FRAME)[:, None]
        sound.append(network.sound(heard).cpu().numpy())
    return np.concatenate(lips), np.concatenate(sound)


def _batches(n_windows: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the end of each batch of windows."""
    for first in range(0, n_windows, _WINDOWS_AT_ONCE):
        yield first, min(first + _WINDOWS_AT_ONCE, n_windows)

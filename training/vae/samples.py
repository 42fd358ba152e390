"""Samples of the VAE: two frames of a clip and the landmarks of the second (GAIA section 4.2).

"x(i) and x(j) are two frames sampled from the same video clip." An epoch has each frame of the selection once as the
target j. In a tenth of the pairs i equals j, so that the decoder learns to reproduce its input. The end of each clip
may be held out from both i and j: in one piece, because a frame between two training frames is hardly new.

Shapes: B pairs, K landmarks, H rows, W columns.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from foundation.array_types import Int64Array
from models.vae.vae import LatentNoise, VaeConfig
from training.data.clips import ClipError, ClipReader, DamagedDataError
from training.data.order import SampleKey
from training.data.randomness import draw_below, draw_share, torch_generator
from training.data.selection import ClipIndex

__all__ = ["FramePair", "FramePairBatch", "FramePairs", "VaeBatch", "VaeSamples", "collate_pairs"]

SAME_FRAME_SHARE = 0.1
"""Share of the pairs with i = j. Ours."""

_ATTEMPTS = 16
"""Substitutes that are tried for a damaged clip."""


class FramePair(NamedTuple):
    """One sample."""

    image_i_CHW: Tensor
    """(3, H, W) uint8 RGB: the source of the appearance."""
    image_j_CHW: Tensor
    """(3, H, W) uint8 RGB: the target."""
    landmarks_K2: Tensor
    """(K, 2) float32 of the target, pixels of the image."""
    valid_K: Tensor
    """(K,) bool."""
    damaged: tuple[str, ...] = ()
    """Messages about damaged clips that this sample replaces."""


class FramePairBatch(NamedTuple):
    """Batch of samples; the fields of `FramePair` with a batch dimension first."""

    image_i_BCHW: Tensor
    image_j_BCHW: Tensor
    landmarks_BK2: Tensor
    valid_BK: Tensor
    damaged: tuple[str, ...]


class FramePairs(Dataset[FramePair]):
    """Pairs of frames by `SampleKey`; its item is the number of the target among all frames of the selection."""

    def __init__(self, index: ClipIndex, *, image_px: int, seed: int, held_out_share: float = 0.0) -> None:
        """Take the clips of `index`.

        Args:
            index: the selection.
            image_px: height and width of the images; landmarks are scaled to it.
            seed: of the run.
            held_out_share: share of each clip, at its end, that is not used; one frame always remains.
        """
        self.index = index
        self.image_px = image_px
        self._seed = seed
        self._reader = ClipReader(index)
        self.n_train_frames: Int64Array = np.maximum(
            1, index.n_frames - (held_out_share * index.n_frames).astype(np.int64)
        )
        """(clips,) number of frames of each clip, from its beginning, that samples are taken from."""
        self._end = np.cumsum(self.n_train_frames)

    def __len__(self) -> int:
        return int(self._end[-1])

    def frames_of(self, key: SampleKey, attempt: int = 0) -> tuple[int, int, int]:
        """Return clip, source frame i and target frame j of a sample, or of its substitute number `attempt` above 0."""
        stream = (self._seed, "pair", key.epoch, key.item, attempt)
        item = draw_below(len(self), *stream, "substitute") if attempt else key.item
        clip = int(np.searchsorted(self._end, item, side="right"))
        n_frames = int(self.n_train_frames[clip])
        target = item - int(self._end[clip]) + n_frames
        if n_frames == 1 or draw_share(*stream, "same") < SAME_FRAME_SHARE:
            return clip, target, target
        source = draw_below(n_frames - 1, *stream, "source")
        return clip, source + (source >= target), target

    def pair(self, clip: int, source: int, target: int) -> FramePair:
        """Return the pair of two frames of a clip.

        Raises:
            ClipError: the clip is damaged.
        """
        return self._pairs(clip, [(source, target)])[0]

    def __getitem__(self, key: SampleKey) -> FramePair:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[SampleKey]) -> list[FramePair]:
        """Return the samples of a batch; each clip is opened once.

        Raises:
            DamagedDataError: a sample's substitutes are damaged as well.
        """
        pairs: dict[int, FramePair] = {}
        damaged: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
        for attempt in range(_ATTEMPTS):
            by_clip: defaultdict[int, list[tuple[int, tuple[int, int]]]] = defaultdict(list)
            for position, key in enumerate(keys):
                if position not in pairs:
                    clip, source, target = self.frames_of(key, attempt)
                    by_clip[clip].append((position, (source, target)))
            for clip, samples in by_clip.items():
                positions = [position for position, _ in samples]
                try:
                    pairs |= dict(zip(positions, self._pairs(clip, [frames for _, frames in samples]), strict=True))
                except ClipError as error:
                    damaged |= {position: (*damaged[position], str(error)) for position in positions}
            if len(pairs) == len(keys):
                return [pairs[position]._replace(damaged=damaged[position]) for position in range(len(keys))]
        raise DamagedDataError(
            f"{_ATTEMPTS} clips in a row are damaged; `gaia-curate validate {self.index.dataset}` lists all damage. "
            "The first: " + next(reasons[0] for position, reasons in damaged.items() if position not in pairs)
        )

    def _pairs(self, clip: int, frames: Sequence[tuple[int, int]]) -> list[FramePair]:
        """Return pairs of source and target frames of one clip."""
        numbers = sorted({number for pair in frames for number in pair})
        rgb_NHWC = self._reader.frames(clip, numbers, self.image_px)
        image_CHW = {
            number: torch.from_numpy(frame).permute(2, 0, 1) for number, frame in zip(numbers, rgb_NHWC, strict=True)
        }
        targets = list(dict.fromkeys(target for _, target in frames))
        landmarks_K2 = dict(zip(targets, self._reader.array(clip, "landmarks", targets), strict=True))
        scale = np.float32(self.image_px / self.index.clip_px)
        samples = []
        for source, target in frames:
            points_K2 = landmarks_K2[target] * scale
            valid_K = np.isfinite(points_K2).all(-1)
            images = image_CHW[source], image_CHW[target]
            samples.append(FramePair(*images, torch.from_numpy(points_K2), torch.from_numpy(valid_K)))
        return samples


def collate_pairs(pairs: Sequence[FramePair]) -> FramePairBatch:
    """Collate samples to a batch: `DataLoader(..., collate_fn=collate_pairs)`."""
    return FramePairBatch(
        image_i_BCHW=_stacked([pair.image_i_CHW for pair in pairs]),
        image_j_BCHW=_stacked([pair.image_j_CHW for pair in pairs]),
        landmarks_BK2=torch.stack([pair.landmarks_K2 for pair in pairs]),
        valid_BK=torch.stack([pair.valid_K for pair in pairs]),
        damaged=tuple(reason for pair in pairs for reason in pair.damaged),
    )


def _stacked(images: Sequence[Tensor]) -> Tensor:
    """Return a batch of images, whose channels are the last dimension in memory."""
    batch_BCHW = torch.empty((len(images), *images[0].shape), dtype=images[0].dtype)
    # NumPy takes channels apart in less than half of the time that torch.stack needs
    for row, image_CHW in zip(batch_BCHW.numpy(), images, strict=True):
        row[:] = image_CHW.numpy()
    return batch_BCHW


class VaeBatch(NamedTuple):
    """Micro-batch of pairs, with the noise of its latents."""

    pairs: FramePairBatch
    noise: LatentNoise


class VaeSamples:
    """Source of micro-batches, a `training.loop.task.BatchSource`."""

    def __init__(self, pairs: FramePairs, model: VaeConfig, *, seed: int) -> None:
        self.pairs = pairs
        self._model, self._seed = model, seed

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, keys: Sequence[SampleKey]) -> VaeBatch:
        """Return a micro-batch; the noise depends on the samples alone, not on batch, rank or process.

        Raises:
            DamagedDataError: a sample cannot be read, nor can its substitutes.
        """
        shapes = (self._model.appearance_shape, *([self._model.motion_shape] if self._model.disentangled else []))
        drawn = [self._noise(key, shapes) for key in keys]
        latents = [torch.stack(noise) for noise in zip(*drawn, strict=True)]
        noise = LatentNoise(latents[0], latents[1] if self._model.disentangled else None)
        return VaeBatch(collate_pairs(self.pairs.__getitems__(keys)), noise)

    def _noise(self, key: SampleKey, shapes: Sequence[tuple[int, int, int]]) -> list[Tensor]:
        generator = torch_generator(self._seed, "latent noise", key.epoch, key.item)
        return [torch.randn(shape, generator=generator) for shape in shapes]

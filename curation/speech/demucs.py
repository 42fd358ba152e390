"""Facebook's `denoiser` (Défossez et al., "Real Time Speech Enhancement in the Waveform Domain", 2020).

The networks are those of the package `denoiser` 0.1.5, the weights those that it names: Demucs of depth 5, causal, with
48 or 64 channels. Package and weights are under CC BY-NC 4.0, which excludes commercial use.

Long sound is taken in chunks, so that memory does not grow with it, and comes out as from one pass. Little reaches over
the edge of a chunk: the deviation of the whole sound, by which it is divided, is measured first; the LSTM runs forward
and hands its state on; convolutions and resampling see less than 0.1 s around a sample, which chunks share.

Frames are the LSTM's here: one every 1024 samples of the network's 64 kHz, 256 of ours. Frame f sees our samples 256 f
to 256 f + 597 and the resampling 84 more on either side; output sample s comes from frames (s - 597) / 256 to s / 256.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from curation.speech.cards import DenoiserCard
from curation.speech.settings import SpeechSettings
from foundation.array_types import Float32Array
from foundation.devices import resolve_device, torch_device
from foundation.packages import import_package
from foundation.weights import asset_path
from foundation.weights.safe_load import load_torch_weights

if TYPE_CHECKING:
    import torch

__all__ = ["DEMUCS_MODELS", "DNS48", "DNS64", "MASTER64", "DemucsDenoiser", "DemucsName"]

DemucsName = Literal["dns48", "dns64", "master64"]

DEMUCS_MODELS: tuple[DemucsName, ...] = ("dns48", "dns64", "master64")
"""Names of the models: in the settings, in the asset registry and in the package."""

_FRAME_SAMPLES = 256

_SEEN_SAMPLES = 597

_CHUNK_FRAMES = 500
"""Frames that each chunk adds, 8 s."""

_SHARED_FRAMES = 3
"""Frames of the chunk before that a chunk repeats. Of its output the first 426 samples lack earlier frames or are in
reach of the resampling's edge, and so are the last 84; so a chunk puts out from one frame before its own on."""

_MARGIN_FRAMES = 1
"""Sound to either side of a chunk that takes the edges of the resampling."""


class _Carried(NamedTuple):
    """What one chunk leaves to the next."""

    state: "tuple[torch.Tensor, torch.Tensor] | None"
    """The LSTM's, after its last frame."""
    frames: "torch.Tensor"
    """(1, C, F) the last outputs of the LSTM, at most _SHARED_FRAMES."""


class DemucsDenoiser:
    """Denoises speech with a model of the package `denoiser`. Every call starts afresh."""

    def __init__(self, name: DemucsName, device: str = "auto", weights: Path | None = None) -> None:
        """Load the model.

        Args:
            name: which of the three.
            device: `auto`, `cpu`, `cuda` or `cuda:K`.
            weights: a checkpoint of that model; by default the one that the asset registry supplies.

        Raises:
            MissingPackageError: the package `denoiser` is not installed.
            MissingAssetsError: the registry does not find the weights.
            UnsafeAssetError: the file holds more than weights.
            DeviceError: the GPU that is named cannot be used.
        """
        # the package's own functions know the sizes; `pretrained` would download and unpickle
        model = getattr(import_package("denoiser.pretrained"), name)(pretrained=False)
        model.load_state_dict(load_torch_weights(asset_path(name) if weights is None else weights))
        self._resample = import_package("denoiser.resample")
        self._device = torch_device(resolve_device(device))
        self._model = model.eval().requires_grad_(requires_grad=False).to(self._device)

    def __call__(self, audio_16k: Float32Array) -> Float32Array:
        """Return the (S,) samples of 16 kHz mono without the noise; same length, no delay.

        Raises:
            ValueError: a sample is not finite.
        """
        import torch

        if not np.isfinite(audio_16k).all():
            at = int(np.argmin(np.isfinite(audio_16k)))
            raise ValueError(f"sample {at} of the speech to denoise is {audio_16k[at]}: damaged sound; decode it again")
        if audio_16k.size < 2:  # a single sample has no deviation
            return audio_16k.astype(np.float32)
        with torch.inference_mode():
            audio = torch.from_numpy(audio_16k.astype(np.float32)).to(self._device)[None, None]
            clean = self._model(audio) if audio_16k.size <= _CHUNK_FRAMES * _FRAME_SAMPLES else self._in_chunks(audio)
            samples: Float32Array = clean[0, 0].cpu().numpy()
        return samples

    def _in_chunks(self, audio: "torch.Tensor") -> "torch.Tensor":
        """Return what `Demucs.forward` returns for (1, 1, S) samples, made chunk by chunk."""
        import torch

        length = audio.shape[-1]
        deviation = audio.std(dim=-1, keepdim=True)
        padded_length = self._model.valid_length(length)
        audio = torch.nn.functional.pad(audio / (self._model.floor + deviation), (0, padded_length - length))
        n_frames = (padded_length - _SEEN_SAMPLES) // _FRAME_SAMPLES + 1
        carried = _Carried(None, audio.new_zeros(1, 0, 0))
        parts = []
        for first in range(0, n_frames, _CHUNK_FRAMES):
            part, carried = self._chunk(audio, first, min(first + _CHUNK_FRAMES, n_frames), n_frames, carried)
            parts.append(part)
        return deviation * torch.cat(parts, dim=-1)[..., :length]

    def _chunk(
        self, audio: "torch.Tensor", first: int, end: int, n_frames: int, carried: _Carried
    ) -> "tuple[torch.Tensor, _Carried]":
        """Return the output of frames `first` to `end`, one frame later at inner edges, and what the next chunk needs.

        Args:
            audio: (1, 1, S) all of the normalised sound, of a length without remainder.
            first: first frame that the chunk before has not put through the LSTM.
            end: frame after the last.
            n_frames: frames of the whole sound.
            carried: from the chunk before.
        """
        import torch

        up, down, model = self._resample.upsample2, self._resample.downsample2, self._model
        start = max(0, first - _SHARED_FRAMES)
        heard_from = max(0, start - _MARGIN_FRAMES)
        heard = audio[..., heard_from * _FRAME_SAMPLES :]
        if end < n_frames:
            n_heard = end - 1 - heard_from + _MARGIN_FRAMES
            heard = heard[..., : n_heard * _FRAME_SAMPLES + _SEEN_SAMPLES]
        x = up(up(heard.contiguous()))[..., 4 * _FRAME_SAMPLES * (start - heard_from) :]
        x = x[..., : 4 * (_FRAME_SAMPLES * (end - start - 1) + _SEEN_SAMPLES)]
        skips = []
        for encode in model.encoder:
            x = encode(x)
            skips.append(x)
        new, state = model.lstm(x[..., first - start :].permute(2, 0, 1), carried.state)
        x = new.permute(1, 2, 0)
        if first > start:
            x = torch.cat([carried.frames, x], dim=-1)
        left = _Carried(state, x[..., -_SHARED_FRAMES:])
        for decode in model.decoder:
            x = decode(x + skips.pop()[..., : x.shape[-1]])
        if end < n_frames:
            x = x[..., : 4 * _FRAME_SAMPLES * (end - start)]
        x = down(down(x.contiguous()))
        whole_from = max(0, first - 1) - start
        whole_to = (end - 1 - start) * _FRAME_SAMPLES if end < n_frames else x.shape[-1]
        return x[..., whole_from * _FRAME_SAMPLES : whole_to], left


def _require_package(_settings: SpeechSettings) -> tuple[()]:
    """Check that the package `denoiser` is installed: it is no dependency of this project."""
    import_package("denoiser.pretrained")
    return ()


def _card(name: DemucsName) -> DenoiserCard:
    return DenoiserCard(
        name=name,
        assets=(name,),
        runtime="torch",
        packages=("denoiser",),
        on_gpu=True,
        weights=_require_package,
        load=lambda settings: DemucsDenoiser(name, settings.device),
    )


DNS48, DNS64, MASTER64 = (_card(name) for name in DEMUCS_MODELS)

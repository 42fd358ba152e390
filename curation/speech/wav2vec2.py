"""wav2vec 2.0 (Baevski et al., "A Framework for Self-Supervised Learning of Speech Representations", 2020).

The network is that of `transformers`. Time: its convolutions turn 400 samples (25 ms) into a frame, every 320 samples
(20 ms), without padding; so frame i is centred at 0.0125 + 0.02 i s, and a clip of N ticks has 2 N - 1 frames. Row k,
at (k + 0.5) / 25 s, lies between frames 2 k and 2 k + 1, 0.375 of the way, and is interpolated linearly. Frame 2 N - 1
would need audio from after the clip: the last row is the last frame, whose centre is 7.5 ms before the row's.

Each clip is encoded by itself and as a whole: the first convolution of the base size is normalised over the utterance,
and so is the audio where the checkpoint requires it; attention spans the clip. Batches change none of that: the
convolutions take clip by clip, and only the transformer, which has a mask for the ends of clips, takes several.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.model_cards import ModelCard
from curation.speech.cards import EncoderCard
from curation.speech.protocols import SpeechClip
from curation.speech.settings import SpeechSettings
from curation.speech.wav2vec2_checkpoint import (
    Checkpoint,
    CheckpointError,
    Wav2Vec2Settings,
    check_config,
    find_checkpoint,
    hub_asset,
    outside_weights,
)
from foundation.array_types import Float16Array, Float32Array
from foundation.devices import resolve_device, torch_device
from foundation.packages import import_package
from foundation.weights.safe_load import load_torch_weights
from manifests.record import WeightRecord
from manifests.timeline import SAMPLES_PER_TICK

if TYPE_CHECKING:
    import torch
    from transformers import Wav2Vec2Config

__all__ = ["WAV2VEC2", "Wav2Vec2Encoder"]

_PEAK = 0.35

_BATCH_FRAMES = 12_000
"""Largest batch of the transformer on a GPU, frames with padding: 240 s of audio."""


class Wav2Vec2Encoder:
    """Encodes speech with a checkpoint of wav2vec 2.0."""

    def __init__(self, settings: Wav2Vec2Settings, device: str = "auto") -> None:
        """Load the checkpoint.

        Args:
            settings: which checkpoint, layer and level.
            device: `auto`, `cpu`, `cuda` or `cuda:K`.

        Raises:
            MissingPackageError: transformers is not installed.
            CheckpointError: the checkpoint is not there, lacks weights, or has no such layer.
            MissingAssetsError: it is an asset of the registry and not on this machine.
            UnsafeAssetError: its file holds more than weights.
            DeviceError: the GPU that is named cannot be used.
        """
        checkpoint = find_checkpoint(settings.model)
        self._device = torch_device(resolve_device(device))
        check_config(checkpoint.folder, settings.layer)
        config = import_package("transformers").Wav2Vec2Config.from_pretrained(checkpoint.folder)
        self._model: Any = _load(checkpoint, config, settings.layer).to(self._device)
        self._do_normalize = checkpoint.do_normalize
        self._to_peak = settings.normalisation == "peak" and not checkpoint.do_normalize
        self._is_cnn = settings.layer == "cnn"
        self.dim: int = config.conv_dim[-1] if self._is_cnn else config.hidden_size
        self._stride = prod(config.conv_stride)
        self._seen = 1 + sum(
            (kernel - 1) * prod(config.conv_stride[:layer]) for layer, kernel in enumerate(config.conv_kernel)
        )
        level = ":peak" if self._to_peak else ""
        self.name: str = f"wav2vec2:{checkpoint.name}@{checkpoint.sha256[:8]}:{settings.layer}{level}"

    def __call__(self, audio_16k: Float32Array, n_ticks: int) -> Float16Array:
        """Return (n_ticks, dim) features of (S,) samples of 16 kHz mono; row k is at (k + 0.5) / 25 s.

        Audio that ends before the last tick is followed by silence.
        """
        return self.encode_clips([SpeechClip(audio_16k, n_ticks)])[0]

    def encode_clips(self, clips: Sequence[SpeechClip]) -> list[Float16Array]:
        """Return what `__call__` returns for each clip; on a GPU the transformer takes several at once."""
        import torch

        with torch.inference_mode():
            rows = [row for batch in self._batches(clips) for row in self._encode(batch)]
        for clip, features in zip(clips, rows, strict=True):
            if not np.isfinite(features).all():
                tick = int(np.argmin(np.isfinite(features).all(axis=1)))
                raise ValueError(
                    f"{self.name}: the features of tick {tick} of {clip.n_ticks} are no float16 numbers; the audio or "
                    "the checkpoint is damaged, or this layer's numbers are too large: take another one"
                )
        return rows

    def _batches(self, clips: Sequence[SpeechClip]) -> Iterator[list[SpeechClip]]:
        """Yield the clips in order, as many at once as a GPU should get; one by one on the CPU, which gains nothing."""
        batch: list[SpeechClip] = []
        for clip in clips:
            longest = max(2 * one.n_ticks for one in [*batch, clip])
            if batch and (self._device == "cpu" or longest * (len(batch) + 1) > _BATCH_FRAMES):
                yield batch
                batch = []
            batch.append(clip)
        if batch:
            yield batch

    def _encode(self, clips: Sequence[SpeechClip]) -> list[Float16Array]:
        import torch

        projected, convolved = zip(*(self._convolve(clip) for clip in clips), strict=True)
        if self._is_cnn:
            encoded: Sequence[torch.Tensor] = convolved
        elif len(clips) == 1:
            encoded = [self._model.encoder(projected[0]).last_hidden_state]
        else:
            lengths = torch.tensor([one.shape[1] for one in projected], device=self._device)
            padded = torch.nn.utils.rnn.pad_sequence([one[0] for one in projected], batch_first=True)
            is_heard = torch.arange(padded.shape[1], device=self._device) < lengths[:, None]
            hidden = self._model.encoder(padded, attention_mask=is_heard).last_hidden_state
            encoded = [one[None, :length] for one, length in zip(hidden, lengths.tolist(), strict=True)]
        return [self._in_ticks(one[0], clip.n_ticks) for one, clip in zip(encoded, clips, strict=True)]

    def _convolve(self, clip: SpeechClip) -> "tuple[torch.Tensor, torch.Tensor]":
        """Return (1, F, hidden) what the transformer takes in, and (1, F, 512) the convolutions' normalised output."""
        import torch

        audio = np.zeros(clip.n_ticks * SAMPLES_PER_TICK, dtype=np.float32)
        own = clip.audio_16k[: audio.size]
        audio[: own.size] = own
        if self._do_normalize:  # as transformers' Wav2Vec2FeatureExtractor does it
            audio = (audio - audio.mean()) / np.sqrt(audio.var() + 1e-7)
        elif self._to_peak:
            audio *= _PEAK / max(float(np.abs(audio).max()), 1e-7)
        frames = self._model.feature_extractor(torch.from_numpy(audio)[None].to(self._device))
        projected, convolved = self._model.feature_projection(frames.transpose(1, 2))
        return projected, convolved

    def _in_ticks(self, frames: "torch.Tensor", n_ticks: int) -> Float16Array:
        """Return (n_ticks, dim) rows at the middles of ticks out of (F, dim) frames."""
        import torch

        at_sample = (torch.arange(n_ticks, dtype=torch.float64) + 0.5) * SAMPLES_PER_TICK
        at = ((at_sample - self._seen / 2) / self._stride).clamp(0, frames.shape[0] - 1).to(frames.device)
        before = at.floor().long()
        after = (before + 1).clamp(max=frames.shape[0] - 1)
        rows = torch.lerp(frames[before], frames[after], (at - before)[:, None].to(frames.dtype))
        features: Float16Array = rows.to(torch.float16).cpu().numpy()
        return features


def _checkpoint(settings: SpeechSettings) -> Sequence[ModelCard]:
    """Return the card of the checkpoint, which has assets if it is one of the asset registry."""
    model = settings.wav2vec2.model
    return [ModelCard(kind="encoder", name=model, assets=tuple(hub_asset(model)), runtime="torch", on_gpu=True)]


def _outside_weights(settings: SpeechSettings) -> Sequence[WeightRecord]:
    import_package("transformers")
    return outside_weights(settings.wav2vec2)


WAV2VEC2 = EncoderCard(
    name="wav2vec2",
    runtime="torch",
    packages=("transformers",),
    on_gpu=True,
    parts=_checkpoint,
    weights=_outside_weights,
    load=lambda settings: Wav2Vec2Encoder(settings.wav2vec2, settings.device),
)


def _load(checkpoint: Checkpoint, config: "Wav2Vec2Config", layer: str) -> "torch.nn.Module":
    """Return the network up to `layer`, for inference."""
    import torch

    transformers = import_package("transformers")
    if checkpoint.weights.suffix == ".safetensors":
        weights = import_package("safetensors.torch").load_file(checkpoint.weights)
    else:
        weights = load_torch_weights(checkpoint.weights)
    with _quiet(transformers):
        # float32 whatever the file has: without `dtype`, transformers 5 keeps the file's, and audio is float32
        model, report = transformers.Wav2Vec2Model.from_pretrained(
            None, config=config, state_dict=weights, dtype=torch.float32, output_loading_info=True
        )
    # the vector that hides frames in training is not used here, and some checkpoints lack it
    lacking = sorted({*report["missing_keys"], *report["mismatched_keys"]} - {"masked_spec_embed"})
    if lacking:
        raise CheckpointError(
            f"{checkpoint.weights} lacks {len(lacking)} of the weights that its config.json describes, such as "
            f"{lacking[0]}; take both from the same checkpoint"
        )
    model.eval().requires_grad_(requires_grad=False)
    if layer != "cnn":
        n_layers = int(layer.removeprefix("context:"))
        if n_layers < config.num_hidden_layers:
            model.encoder.layers = model.encoder.layers[:n_layers]
            if config.do_stable_layer_norm:  # its norm belongs behind the last layer
                model.encoder.layer_norm = torch.nn.Identity()
    network: torch.nn.Module = model
    return network


@contextmanager
def _quiet(transformers: ModuleType) -> Iterator[None]:
    """Keep transformers' progress bar and its report of weights for other tasks off the terminal."""
    logs = transformers.utils.logging
    verbosity, has_bar = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(verbosity)
        if has_bar:
            logs.enable_progress_bar()

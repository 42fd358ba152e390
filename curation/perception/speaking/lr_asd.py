"""Active speaker detection by LR-ASD: the probability, tick by tick, that the person who is seen is the one heard.

Liao et al., "LR-ASD: Lightweight and Robust Network for Active Speaker Detection", IJCV 2025. The checkpoint is the one
of github.com/Junhua-Liao/LR-ASD (MIT) that was trained on AVA-ActiveSpeaker. The network runs on onnxruntime, which
needs less of a CPU core than torch does.
"""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curation.model_registry import FACE_FINDERS
from curation.perception.cards import FaceFinderCard, SpeakingCard
from curation.perception.speaking.face_crops import crop_squares, cut_grey_face
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.cepstra import N_CEPSTRA, mel_cepstra
from foundation.devices import onnx_session, resolve_device
from foundation.weights import asset_path
from foundation.weights.safe_load import load_torch_weights

if TYPE_CHECKING:
    import torch

__all__ = ["LR_ASD_SPEAKING", "LrAsdSpeaking"]

_ASSET = "lr_asd_ava"

_FACE_PX, _EMBEDDING = 112, 128

_ROWS_PER_TICK = 4
"""Rows of cepstra, one every 10 ms."""

_TICKS_AT_ONCE = 100
"""Ticks of a call of the encoders, which takes 2.3 MB of memory for each."""

_MARGIN_TICKS = 9
"""As far as the encoders see to either side: three blocks with kernels of 5 and 3 ticks. A call is given as many more,
so that its numbers are those of one call for all ticks."""


class LrAsdSpeaking:
    """An `ActiveSpeaker`; runs on one thread of the CPU."""

    def __init__(self, weights: Path | None = None, head_box: tuple[float, float] = (1.0, 0.0)) -> None:
        """Load the network.

        Args:
            head_box: how the boxes that it will be given become those of heads; see `FaceFinderCard.head_box`.
            weights: the official checkpoint `pretrain_AVA.model`; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
            UnsafeAssetError: the file holds more than weights.
            RuntimeError: the checkpoint is of another network.
        """
        self._head_box = head_box
        device = resolve_device("cpu")
        encoders, detector = _onnx_models(asset_path(_ASSET) if weights is None else weights)
        self._encoders, self._detector = onnx_session(encoders, device), onnx_session(detector, device)

    def squares(self, boxes_px: Float32Array) -> Float64Array:
        """Return (T, 3) where to cut a face on T adjacent ticks; see `face_crops.crop_squares`.

        Raises:
            ValueError: there is no box at all.
        """
        return crop_squares(boxes_px, self._head_box)

    def crop(self, frame: RgbImage, square: Float64Array) -> npt.NDArray[np.uint8]:
        """Return the (112, 112) grey crop of a face, given its row of `squares`.

        Raises:
            ValueError: the box has no area.
        """
        return cut_grey_face(frame, square)

    def __call__(self, crops: npt.NDArray[np.uint8], audio_16k: Float32Array) -> Float32Array:
        """Return the (T,) probability that a face speaks, for T adjacent ticks.

        Args:
            crops: (T, 112, 112) of one face.
            audio_16k: (S,) the sound of these ticks, 16 kHz, mono, -1 to 1. Silence follows where it ends early; what
                comes after the last tick is not used, but for 15 ms.

        Raises:
            ValueError: the faces or the sound have another shape, or a sample is not finite.
        """
        seen, heard = self.embeddings(crops, mel_cepstra(audio_16k, _ROWS_PER_TICK * len(crops)))
        silent, speaks = self.logits(seen, heard).astype(np.float64).T
        probability: Float32Array = (1.0 / (1.0 + np.exp(silent - speaks))).astype(np.float32)
        return probability

    def embeddings(self, crops: npt.NDArray[np.uint8], cepstra: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return what the encoders say of a face and of the sound, (T, 128) each.

        Args:
            crops: (T, 112, 112) of one face.
            cepstra: (4 T, 13) of the sound, by `mel_cepstra`.

        Raises:
            ValueError: the crops or the cepstra have another shape.
        """
        n_ticks = len(crops)
        if crops.shape != (n_ticks, _FACE_PX, _FACE_PX) or cepstra.shape != (n_ticks * _ROWS_PER_TICK, N_CEPSTRA):
            raise ValueError(
                f"crops of shape {crops.shape} and cepstra of shape {cepstra.shape} do not fit; give (T, {_FACE_PX}, "
                f"{_FACE_PX}) and ({_ROWS_PER_TICK} T, {N_CEPSTRA})"
            )
        blocks = [(np.empty((0, _EMBEDDING), np.float32),) * 2]
        for first in range(0, n_ticks, _TICKS_AT_ONCE):
            begin, end = max(0, first - _MARGIN_TICKS), first + _TICKS_AT_ONCE + _MARGIN_TICKS
            rows = cepstra[begin * _ROWS_PER_TICK : end * _ROWS_PER_TICK]
            seen, heard = self._encoders.run(["seen", "heard"], {"faces": crops[begin:end], "cepstra": rows})
            own = slice(first - begin, first - begin + _TICKS_AT_ONCE)
            blocks.append((np.asarray(seen, np.float32)[own], np.asarray(heard, np.float32)[own]))
        of_faces, of_sound = zip(*blocks, strict=True)
        return np.concatenate(of_faces), np.concatenate(of_sound)

    def logits(self, seen: Float32Array, heard: Float32Array) -> Float32Array:
        """Return the (T, 2) logits of a face that is silent, and of one that speaks, given its `embeddings`."""
        if not len(seen):
            return np.empty((0, 2), np.float32)
        (of_stretches,) = self._detector.run(["logits"], {"seen": seen[None], "heard": heard[None]})
        logits: Float32Array = np.asarray(of_stretches, np.float32)[0]
        return logits


LR_ASD_SPEAKING = SpeakingCard(
    name="lr_asd",
    assets=(_ASSET,),
    runtime="onnxruntime",
    packages=("torch",),  # reads the checkpoint and writes it as a graph
    load=lambda settings: LrAsdSpeaking(head_box=FACE_FINDERS.card(settings.faces, FaceFinderCard).head_box),
)


def _onnx_models(checkpoint: Path) -> tuple[bytes, bytes]:
    """Return the encoders and the detector of a checkpoint as ONNX models, for stretches of any length."""
    import torch

    from curation.perception.speaking.lr_asd_network import load_lr_asd_network

    encoders, detector = load_lr_asd_network(load_torch_weights(checkpoint))
    faces, cepstra = torch.zeros(6, _FACE_PX, _FACE_PX, dtype=torch.uint8), torch.zeros(24, N_CEPSTRA)
    ticks, windows = torch.zeros(2, 6, _EMBEDDING), {0: "window", 1: "tick"}
    over_ticks = {name: {0: "tick"} for name in ("faces", "seen", "heard")}
    return (
        _exported(
            encoders, {"faces": faces, "cepstra": cepstra}, ["seen", "heard"], {**over_ticks, "cepstra": {0: "row"}}
        ),
        _exported(
            detector,
            {"seen": ticks, "heard": ticks},
            ["logits"],
            {"seen": windows, "heard": windows, "logits": windows},
        ),
    )


def _exported(
    network: "torch.nn.Module",
    inputs: Mapping[str, "torch.Tensor"],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> bytes:
    """Return a network as an ONNX model.

    Args:
        network: for inference.
        inputs: an example of each, by name.
        outputs: their names.
        axes: by input or output, the dimensions that may have any length, with a name each.
    """
    import torch

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch recommends its other exporter, and warns of recurrent networks that are given a first state
        warnings.simplefilter("ignore")
        model = Path(folder) / "network.onnx"
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            str(model),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        return model.read_bytes()

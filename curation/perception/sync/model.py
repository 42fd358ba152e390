"""The comparison of lips with the sound, `perception.sync=embedded`, or a network of the user's own."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.model_cards import file_weights
from curation.perception.cards import SyncCard
from curation.perception.settings import PerceptionSettings
from curation.perception.sync.mouth import mouth_lengths
from curation.perception.sync.network import SyncNetwork, lag_scores
from curation.speech.whisper import WhisperTinyEncoder
from foundation.array_types import Float32Array
from foundation.errors import UsageError
from manifests.record import WeightRecord
from manifests.schema.face_measures import SYNC_LAG_TICKS

__all__ = ["EMBEDDED_SYNC", "SYNC_FILE", "SyncModel", "UnfitSyncModelError", "network_file"]

_PACKAGED = "sync.safetensors"


class UnfitSyncModelError(UsageError):
    """A file that was to compare lips with the sound is not there, or is none that `gaia-curate sync fit` wrote."""


class SyncModel:
    """A `LipSync`: compares mouth measures with rows of Whisper tiny.en.

    `docs/explanation/sync_model_card.md` states its training data, its accuracy and its failures.
    """

    def __init__(self, model: Path | None = None) -> None:
        """Load the weights; Whisper is loaded when it is first needed.

        Args:
            model: a network that `gaia-curate sync fit` wrote; None takes the one of the package.

        Raises:
            UnfitSyncModelError: the file cannot be read, or holds something else.
        """
        self.name = "embedded" if model is None else str(model)
        weights = _file_weights(model)
        self.digest = hashlib.sha256(weights).hexdigest()
        try:
            self._network = SyncNetwork.of(_arrays(weights))
        except (KeyError, ValueError, TypeError) as error:
            reason = f"it lacks the array {error}" if isinstance(error, KeyError) else str(error)
            raise UnfitSyncModelError(
                f"{self.name} is no network that compares lips with sound: {reason}; `gaia-curate sync fit` writes one"
            ) from error

    @cached_property
    def _encoder(self) -> WhisperTinyEncoder:
        return WhisperTinyEncoder()

    def sound_rows(self, audio_16k: Float32Array, n_ticks: int) -> Float32Array:
        """Return (n_ticks, 384) rows of Whisper tiny.en.

        Args:
            audio_16k: (S,) the sound of these ticks as it is in the file, not denoised, 16 kHz mono, -1 to 1.
            n_ticks: number of ticks.

        Raises:
            MissingAssetsError: the weights of Whisper tiny.en are missing.
        """
        return self._encoder.chunk_rows(audio_16k, n_ticks)

    def scores(self, landmarks_px: Float32Array, blendshapes: Float32Array, speech: Float32Array) -> Float32Array:
        """Return (T, 31) cosines between the lips on each tick and the sound -15 to 15 ticks later.

        Those that cannot be known are NaN: 7 ticks at either end of the stretch, and lags that lead out of the rest.

        Args:
            landmarks_px: (T, 478, 2) of one face on ticks that follow one another, pixels.
            blendshapes: (T, 52) likewise, in MediaPipe's order.
            speech: (T, 384) rows of `sound_rows` of the same ticks.
        """
        lips = self._network.lip_vectors(mouth_lengths(landmarks_px, blendshapes))
        sound = self._network.sound_vectors(speech)
        return lag_scores(lips, sound, range(-SYNC_LAG_TICKS, SYNC_LAG_TICKS + 1))


def _file_weights(model: Path | None) -> bytes:
    """Return the bytes of a user's file, or of the one in the package."""
    if model is None:
        return resources.files(__package__).joinpath(_PACKAGED).read_bytes()
    try:
        return model.read_bytes()
    except OSError as error:
        raise UnfitSyncModelError(
            f"perception.sync is {str(model)!r}, which cannot be read ({error.strerror}); write embedded, none, or the "
            "path of a file that `gaia-curate sync fit` wrote"
        ) from error


def _arrays(weights: bytes) -> Mapping[str, npt.NDArray[np.generic]]:
    """Return the arrays of a safetensors file by name.

    Raises:
        ValueError: it is none.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: Mapping[str, npt.NDArray[np.generic]] = load(weights)
    except SafetensorError as error:
        raise ValueError(f"it is no safetensors file ({error})") from error
    return arrays


def network_file(network: SyncNetwork) -> bytes:
    """Return the file of a network, which `SyncModel` reads: safetensors in half precision."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array, dtype=np.float16) for name, array in network.arrays().items()})


def _package_weights() -> WeightRecord:
    digest = hashlib.sha256(_file_weights(None)).hexdigest()
    return WeightRecord(
        name="embedded_sync", role="perception", sha256=digest, licence="Apache-2.0", commercial_use=True
    )


def _user_weights(settings: PerceptionSettings) -> list[WeightRecord]:
    SyncModel(Path(settings.sync))  # raises where the file is not there or holds something else
    return [file_weights(settings.sync, "perception", Path(settings.sync), "the user's own", commercial_use=None)]


EMBEDDED_SYNC = SyncCard(
    name="embedded",
    assets=(WhisperTinyEncoder.name,),
    runtime="ctranslate2",
    scheme="mediapipe478",
    weights=lambda _settings: [_package_weights()],
    load=lambda _settings: SyncModel(),
)

SYNC_FILE = SyncCard(
    name="sync file",
    assets=(WhisperTinyEncoder.name,),
    runtime="ctranslate2",
    scheme="mediapipe478",
    weights=_user_weights,
    load=lambda settings: SyncModel(Path(settings.sync)),
)
"""For every value of `perception.sync` that is the path of a file."""

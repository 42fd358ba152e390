"""Weights on disk: one safetensors file that holds a network's tensors, its config and what it was trained on.

GAIA trains its networks on landmarks of one tool (section 4.2, equation 1) and on speech features of one encoder
(section 4.3); neither shows in the tensors, and with another landmark scheme or encoder a network runs and yields
nonsense. So both names are in the file, and loading compares them. Nothing is pickled.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from foundation.devices import free_memory_bytes
from foundation.errors import UsageError
from foundation.settings import SettingsError, restored, settings_of
from foundation.storage.atomic import replacing
from foundation.storage.regular_files import NotRegularFileError
from foundation.text import count_text
from models.tensor_files import TensorFileError, open_tensors, tensor_shapes, write_tensors

__all__ = ["WeightFacts", "WeightsError", "load_weights", "read_facts", "save_tensors", "save_weights"]

FORMAT = "gaia-weights-1"

ConfigT = TypeVar("ConfigT")

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class WeightsError(UsageError):
    """A file does not hold the requested weights; the message names both sides and the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightFacts:
    """Tools that made the training data of a network, as far as its inputs depend on them."""

    landmark_scheme: str
    """Name in `manifests.landmarks`, such as `mediapipe478`."""
    speech_encoder: str | None
    """Name of the encoder of the speech (or text) features, as in the column `speech_encoder`; None: takes none."""


def save_weights(path: Path, network: nn.Module, config: object, facts: WeightFacts) -> None:
    """Write a network to `path` atomically.

    Args:
        path: file to write, customarily `*.safetensors`; its folder is made where it is missing.
        network: its state dict is written, buffers included, in the types that the tensors have.
        config: the frozen dataclass that the network was built from.
        facts: tools that made its training data.

    Raises:
        OSError: the disk refused; `path` is as it was before.
    """
    save_tensors(path, network.state_dict(), config, facts)


def save_tensors(path: Path, state: Mapping[str, Tensor], config: object, facts: WeightFacts) -> None:
    """Write a network to `path` as `save_weights` does, from its tensors by name, such as those of an average.

    Equal tensors, config and facts give equal bytes, so that a digest of the file names the network.

    Raises:
        OSError: the disk refused; `path` is as it was before.
    """
    if not is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"the config of {path} is {config!r}; give the dataclass that the network was built from")
    metadata = {
        "format": FORMAT,
        "config_type": type(config).__name__,
        "config": json.dumps(settings_of(config), allow_nan=False),
        "facts": json.dumps(settings_of(facts), allow_nan=False),
    }
    with replacing(path) as stream:
        write_tensors(stream, state, metadata)


def read_facts(path: Path) -> WeightFacts:
    """Return the tools of the training data of the network in `path`, to choose a landmark tool by them.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: it is no file that `save_weights` wrote.
    """
    return _facts(path, _metadata(path))


def load_weights(
    path: Path, network: Callable[[ConfigT], NetworkT], config_type: type[ConfigT], expected: WeightFacts
) -> NetworkT:
    """Build a network from the config in `path` and give it the tensors there, on the CPU, in evaluation mode.

    Args:
        path: a file that `save_weights` wrote.
        network: what builds the network from its config, such as the class `Vae`.
        config_type: the config's class, such as `VaeConfig`.
        expected: landmark scheme and speech encoder of the data that the network shall be used with.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: it holds another network, was trained on another landmark scheme or speech encoder, or its config
            or tensors do not fit this version of the network.
    """
    metadata = _metadata(path)
    if metadata.get("config_type") != config_type.__name__:
        raise WeightsError(
            f"{path} holds a network of {metadata.get('config_type')}, not of {config_type.__name__}; name another file"
        )
    facts = _facts(path, metadata)
    for name, kind in (("landmark_scheme", "landmark scheme"), ("speech_encoder", "speech encoder")):
        trained, used = getattr(facts, name), getattr(expected, name)
        if trained != used:
            raise WeightsError(
                f"{path} was trained with {kind} {trained!r}, but here it is {used!r}; "
                f"give data made with {trained!r}, or weights trained with {used!r}"
            )
    config = _restored(metadata.get("config", ""), config_type, f"{path}: config")
    _require_fitting(path, network, config)
    built = network(config)
    try:
        built.load_state_dict(safetensors.torch.load_file(path))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path} does not fit this version's {type(built).__name__}: {error}") from error
    return built.eval()


def _require_fitting(path: Path, network: Callable[[ConfigT], nn.Module], config: ConfigT) -> None:
    """Compare the sizes that a config asks for with those of the tensors in the file, before any is allocated.

    Raises:
        WeightsError: they differ, or the tensors are larger than the memory that is free.
    """
    try:
        with torch.device("meta"):
            planned = network(config)
        asked = {name: tuple(tensor.shape) for name, tensor in planned.state_dict().items()}
        with open_tensors(path) as opened:
            held = {name: shape.size for name, shape in tensor_shapes(opened).items()}
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise WeightsError(f"{path} does not fit this version's networks: {str(error)[:500]}") from error
    differing = sorted(name for name in {*asked, *held} if asked.get(name) != held.get(name))
    if differing:
        name = differing[0]
        raise WeightsError(
            f"{path} does not fit this version's {type(planned).__name__}: size mismatch for "
            f"{count_text(len(differing), 'tensor')}, such as {name[:200]!r}: {held.get(name, 'absent')} there, "
            f"{asked.get(name, 'absent')} by its config"
        )
    if path.stat().st_size > free_memory_bytes():
        raise WeightsError(
            f"{path} holds {path.stat().st_size:,} bytes of tensors, and {free_memory_bytes():,} bytes of memory are "
            "free; close other programs or take a larger machine"
        )


def _facts(path: Path, metadata: Mapping[str, str]) -> WeightFacts:
    return _restored(metadata.get("facts", ""), WeightFacts, f"{path}: facts")


def _metadata(path: Path) -> dict[str, str]:
    try:
        with open_tensors(path) as opened:
            metadata: dict[str, str] = opened.metadata() or {}
    except (TensorFileError, NotRegularFileError) as error:
        raise WeightsError(f"{path} is no complete safetensors file: {error}; copy or export it again") from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(f"{path} has format {metadata.get('format')!r}, not {FORMAT!r}; export it with `gaia-train`")
    return metadata


def _restored(text: str, kind: type[ConfigT], where: str) -> ConfigT:
    """Return the dataclass that was written as JSON.

    Raises:
        WeightsError: a field is missing, unknown, or refused by the dataclass; the message lists the fields.
    """
    try:
        return restored(kind, json.loads(text), where)
    except (SettingsError, ValueError, RecursionError) as error:
        begin = "" if isinstance(error, SettingsError) else f"{where}: "
        raise WeightsError(f"{begin}{error}; load it with the version that wrote it") from error

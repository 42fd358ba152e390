"""CLIP's text encoder (Radford et al., 2021), whose states drive motion from text (GAIA appendix E.1).

The network and the tokens are those of `transformers`. The checkpoint is the user's own: a folder, or a name of the
Hugging Face hub that is on this machine already. Nothing is downloaded.

Shapes: L tokens of a text with its begin and its end, G = 768 numbers of a state.
"""

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foundation.array_types import Float16Array
from foundation.errors import CannotStartError
from foundation.packages import import_package
from foundation.storage.digest import file_sha256

__all__ = ["STATE_WIDTH", "TextEncoder", "TextEncoderError", "find_text_encoder", "name_of_text_encoder"]

STATE_WIDTH = 768
"""G: that of CLIP ViT-L/14."""

_WEIGHTS = "model.safetensors"

_FILES = ("config.json", _WEIGHTS, "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")
"""Files that decide the states, as far as a checkpoint has them."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")

_EXAMPLE = "openai/clip-vit-large-patch14"


class TextEncoderError(CannotStartError):
    """A text encoder is not on this machine, or its files are none of CLIP; the message says where to get it."""


def find_text_encoder(model: str) -> Path:
    """Return the folder of a checkpoint: `model` itself, or of that name in `GAIA_MODELS` or in the hub's cache.

    Raises:
        TextEncoderError: it is not there, or lacks files.
    """
    folder = _folder(model)
    lacking = [name for name in ("config.json", _WEIGHTS) if not (folder / name).is_file()]
    if not ((folder / "tokenizer.json").is_file() or (folder / "vocab.json").is_file()):
        lacking.append("tokenizer.json")
    if lacking:
        raise TextEncoderError(
            f"text encoder {model!r}: {folder} lacks {', '.join(lacking)}; it needs config.json, {_WEIGHTS} and the "
            "files of the tokenizer, as transformers' save_pretrained writes them"
        )
    return folder


def _folder(model: str) -> Path:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    mirror = os.environ.get("GAIA_MODELS")
    if mirror and model and (Path(mirror).expanduser() / model).is_dir():
        return Path(mirror).expanduser() / model
    if _HUB_NAME.fullmatch(model):
        hub = import_package("huggingface_hub")
        with suppress(OSError, ValueError):  # the hub's error for what is not in its cache is both
            return Path(hub.snapshot_download(model, local_files_only=True, allow_patterns=list(_FILES)))
    raise TextEncoderError(
        f"text encoder {model!r} is neither a folder nor a model in GAIA_MODELS or in the Hugging Face cache, and is "
        f"not downloaded unasked; get the one of the paper with `hf download {_EXAMPLE} --local-dir FOLDER` (1.7 GB; "
        "MIT licence, but its model card excludes deployed use), and give FOLDER"
    )


def name_of_text_encoder(model: str) -> tuple[str, str]:
    """Return the name under which a run records an encoder, and the hash of its files.

    The name is such as `clip:clip-vit-large-patch14@1a2b3c4d`. The hash is the SHA-256 of the lines
    ``<sha256>  <name>`` of the files that decide the states.

    Raises:
        TextEncoderError: the encoder is not there.
    """
    folder = find_text_encoder(model)
    lines = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in _FILES if (folder / name).is_file())
    sha256 = hashlib.sha256(lines.encode()).hexdigest()
    called = folder.name if Path(model).expanduser().is_dir() else model
    return f"clip:{called}@{sha256[:8]}", sha256


class TextEncoder:
    """Encodes instructions, one at a time."""

    def __init__(self, model: str, device: torch.device | str = "cpu") -> None:
        """Load the checkpoint.

        Args:
            model: its folder, or its name, see `find_text_encoder`.
            device: where to compute.

        Raises:
            TextEncoderError: it is not there, is none of CLIP, lacks weights, or has states of another width.
            MissingPackageError: transformers is not installed.
        """
        folder = find_text_encoder(model)
        self.name, self.sha256 = name_of_text_encoder(model)
        self._device = torch.device(device)
        transformers = import_package("transformers")
        try:
            transformers.utils.logging.disable_progress_bar()  # of reading the weights
            self._tokenizer: Any = transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            network, report = transformers.CLIPTextModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise TextEncoderError(f"text encoder {folder} cannot be loaded as one of CLIP: {error}") from error
        lacking = sorted({*report["missing_keys"], *report["mismatched_keys"]})
        if lacking:
            raise TextEncoderError(
                f"text encoder {folder}: {_WEIGHTS} lacks {len(lacking)} of the weights that its config.json "
                f"describes, such as {lacking[0]}; take both from the same checkpoint"
            )
        if network.config.hidden_size != STATE_WIDTH:
            raise TextEncoderError(
                f"text encoder {folder} has states of {network.config.hidden_size} numbers, and the networks take "
                f"{STATE_WIDTH}; give CLIP ViT-L/14, {_EXAMPLE}"
            )
        self._longest = int(network.config.max_position_embeddings)
        self._network: Any = network.to(self._device).eval().requires_grad_(requires_grad=False)

    @torch.inference_mode()
    def __call__(self, text: str) -> Float16Array:
        """Return the (L, 768) states of a text, that of its end last; what is beyond 77 tokens is not read."""
        tokens = self._tokenizer(text, truncation=True, max_length=self._longest)["input_ids"]
        states_1LG = self._network(input_ids=torch.tensor([tokens], device=self._device)).last_hidden_state
        states: Float16Array = states_1LG[0].to(torch.float16).cpu().numpy()
        if not np.isfinite(states).all():
            raise TextEncoderError(f"text encoder {self.name}: the states of {text!r} are no finite numbers")
        return states

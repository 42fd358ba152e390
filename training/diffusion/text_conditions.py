"""Instructions of clips as the motion model takes them: states of a text encoder, padded to one length.

Shapes: L tokens of the longest text, G = 768 numbers of a state.
"""

import hashlib
import json
from typing import NamedTuple

import torch
from torch import Tensor

from training.data.selection import ClipIndex
from training.latents.text_states import TextStates, TextStatesError

__all__ = ["InstructionStates", "InstructionTexts"]


class InstructionStates(NamedTuple):
    """States of one instruction."""

    states_LG: Tensor
    """float16, zeros in padding."""
    mask_L: Tensor
    """True up to the end of the text."""

    def same_as(self, other: "InstructionStates") -> bool:
        """Return whether the states are those of the same text."""
        return torch.equal(self.states_LG, other.states_LG)


class InstructionTexts:
    """Instructions of the clips of a selection."""

    def __init__(self, index: ClipIndex, states: TextStates) -> None:
        """Look up the instructions.

        Args:
            index: whose clips all have one.
            states: of the dataset's texts.

        Raises:
            TextStatesError: a text has no states.
        """
        self.texts: tuple[str, ...] = tuple(index.rows["instruction"].to_pylist())
        self._states = states
        self._longest = max(map(len, states.by_text.values()), default=0)
        missing = sorted({text for text in self.texts if text not in states.by_text})
        if missing:
            raise TextStatesError(
                f"{index.dataset} has no states of {len(missing)} of its instructions by {states.encoder}, such as "
                f"{missing[0]!r}; run `gaia-train texts {index.dataset} --encoder FOLDER` again"
            )

    def of(self, clip: int) -> InstructionStates:
        """Return the states of the instruction of a clip."""
        own = torch.tensor(self._states.by_text[self.texts[clip]])  # a copy: Arrow's memory is not writable
        padded_LG = own.new_zeros(self._longest, own.shape[1])
        padded_LG[: len(own)] = own
        return InstructionStates(padded_LG, torch.arange(self._longest) < len(own))

    def sha256(self, latents_sha256: str) -> str:
        """Return a digest of that of the latents, of the text encoder, and of the texts in the order of the clips."""
        return hashlib.sha256(
            json.dumps([latents_sha256, self._states.encoder, *self.texts], allow_nan=False).encode()
        ).hexdigest()

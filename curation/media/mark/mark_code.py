"""The bits of a mark: an id of 48 bits, its CRC-32, and a convolutional code of rate 1/3 with soft decisions."""

import zlib

import numpy as np

from foundation.array_types import Float64Array, Int8Array

__all__ = ["CODED_BITS", "ID_BITS", "decoded_id", "encoded_id", "id_text"]

ID_BITS = 48

_CHECKED_BITS = ID_BITS + 32
"""The id and its check."""

_GENERATORS = (0o133, 0o171, 0o165)
"""Taps of the code of constraint length 7 with the largest free distance, 15; the highest bit is the newest input."""

_MEMORY = 6
"""Input bits that the encoder remembers, and zeros that bring it back to its first state."""

CODED_BITS = len(_GENERATORS) * (_CHECKED_BITS + _MEMORY)


def _outputs() -> Int8Array:
    """Return (2, 64, 3) signs of the outputs for an input bit and a state, of which bit 5 is the newest input."""
    taps = np.array([[(register & taps).bit_count() % 2 for taps in _GENERATORS] for register in range(128)])
    return (1 - 2 * taps).astype(np.int8).reshape(2, 64, len(_GENERATORS))


_OUTPUTS = _outputs()


def id_text(mark_id: int) -> str:
    """Return an id as people read it: 12 hexadecimal digits.

    >>> id_text(0x1F)
    '00000000001f'
    """
    return f"{mark_id:012x}"


def encoded_id(mark_id: int) -> Int8Array:
    """Return the (CODED_BITS,) signs of an id, 1 for a bit 0 and -1 for a bit 1.

    Raises:
        ValueError: the id has more than 48 bits.
    """
    if not 0 <= mark_id < 1 << ID_BITS:
        raise ValueError(f"a mark's id is {mark_id}; give 48 bits, 0 to 2**48 - 1")
    content = mark_id.to_bytes(ID_BITS // 8, "big")
    checked = content + zlib.crc32(content).to_bytes(4, "big")
    bits = [*np.unpackbits(np.frombuffer(checked, np.uint8)).tolist(), *[0] * _MEMORY]
    signs, state = [], 0
    for bit in bits:
        signs.append(_OUTPUTS[bit, state])
        state = bit << 5 | state >> 1
    return np.concatenate(signs)


def decoded_id(soft: Float64Array) -> int | None:
    """Return the id of the most likely code word, by Viterbi's algorithm; None if its CRC-32 does not fit.

    Args:
        soft: (CODED_BITS,) correlations with the signs of `encoded_id`, of noise alike in all.
    """
    gains = np.einsum("bsk,tk->tbs", _OUTPUTS.astype(np.float64), soft.reshape(-1, len(_GENERATORS)))
    states = np.arange(64)
    bits = states >> 5  # the input that led into a state
    sources = (states << 1 & 63)[:, None] + np.array([0, 1])  # (64, 2) states before it
    score = np.where(states == 0, 0.0, -np.inf)
    chosen = []
    for gain in gains:
        reached = score[sources] + gain[bits[:, None], sources]
        best = reached.argmax(axis=1)
        chosen.append(sources[states, best])
        score = reached[states, best]
    state, found = 0, []
    for source in reversed(chosen):
        found.append(state >> 5)
        state = int(source[state])
    checked = np.packbits(np.array(found[::-1][:_CHECKED_BITS], np.uint8)).tobytes()
    content, check = checked[: ID_BITS // 8], checked[ID_BITS // 8 :]
    return int.from_bytes(content, "big") if zlib.crc32(content).to_bytes(4, "big") == check else None

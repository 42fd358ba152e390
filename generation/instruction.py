"""The instruction that drives a portrait, as the motion network takes it: states of the run's own text encoder."""

import numpy as np

from foundation.array_types import Float16Array
from generation.trained_run import GenerationError, TrainedRun
from models.text_encoder import STATE_WIDTH, TextEncoder, TextEncoderError, name_of_text_encoder

__all__ = ["instruction_states"]


def instruction_states(run: TrainedRun, text: str, model: str | None) -> Float16Array:
    """Return the (L, 768) states of a text; of an empty one, which guidance takes no part of, a single state of zeros.

    Args:
        run: with a motion network that text drives.
        text: the instruction.
        model: folder or name of the text encoder; None: looked for by the name that the run recorded.

    Raises:
        TextEncoderError: the text encoder is not on this machine, or is none of CLIP.
        GenerationError: it is another one than the run was trained with.
    """
    if not text:
        return np.zeros((1, STATE_WIDTH), np.float16)
    trained = str(run.facts.speech_encoder)
    called, _, digest = trained.removeprefix("clip:").rpartition("@")
    asked = called if model is None else model
    try:
        name, _ = name_of_text_encoder(asked)
    except TextEncoderError as error:
        raise TextEncoderError(
            f"{run.label} was trained with the text encoder {trained}: give its folder with --text-encoder; {error}"
        ) from error
    if name.rpartition("@")[2] != digest:
        raise GenerationError(
            f"{run.label} was trained with the text encoder {trained}, and {asked} is {name}; give the folder of the "
            "former with --text-encoder"
        )
    return TextEncoder(asked, next(run.vae.parameters()).device)(text)

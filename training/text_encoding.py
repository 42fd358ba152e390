"""Library function of `gaia-train texts`: the instructions of a dataset, encoded once for all trainings."""

import sys
from pathlib import Path

from foundation.storage.locations import location
from manifests.files.tables import read_table
from manifests.record import read_dataset
from training.data.selection import SelectionError
from training.latents.text_states import write_text_states
from training.launch import DeviceKind
from training.loop.parallel import ranks_of_environment
from training.loop.progress import TrainProgress
from training.loop.run_lease import held_by_ranks
from training.results import TextsResult

__all__ = ["encode_texts"]


def encode_texts(
    dataset: str | Path, encoder: str, *, device: DeviceKind | None = None, wait: bool = False
) -> TextsResult:
    """Encode the instructions of a dataset's clips with CLIP's text encoder, into the dataset (GAIA appendix E.1).

    Texts that have states of this encoder are not encoded again; an encoder whose files have changed is another one.

    Args:
        dataset: folder of a dataset, or its address; `gaia-curate instructions` has given its clips instructions.
        encoder: folder of the text encoder as transformers writes it, or its name in `GAIA_MODELS` or in the cache of
            the Hugging Face hub. Nothing is downloaded.
        device: where to compute; None: on a GPU where there is one.
        wait: wait while another command writes to the dataset; otherwise that is an error.

    Raises:
        TextEncoderError: the encoder is not on this machine, or is none of CLIP.
        SelectionError: no clip has an instruction.
        GaiaError: the dataset cannot be used.
        OSError: the disk refused; what was there before stays.
    """
    folder = location(str(dataset))
    read_dataset(folder)  # what is no dataset gets no lease
    with (
        ranks_of_environment(device) as ranks,
        held_by_ranks(folder, "gaia-train texts", ranks, wait=wait),
        TrainProgress(sys.stderr, visible=ranks.first) as progress,
    ):
        if not ranks.first:  # instructions are few and short: one process encodes them
            return TextsResult(dataset=str(dataset), encoder=None)
        rows = read_table(folder, "clips", ["instruction"])["instruction"].drop_null().to_pylist()
        if not rows:
            raise SelectionError(
                f"{dataset}: no clip has an instruction; bring them in with `gaia-curate instructions {dataset} "
                "FILE.csv`"
            )
        texts = sorted({*rows})
        progress.start(0, len(texts))
        states, encoded = write_text_states(folder, texts, encoder, device=ranks.device, on_text=progress.advance)
    return TextsResult(dataset=str(dataset), encoder=states.encoder, clips=len(rows), texts=len(texts), encoded=encoded)

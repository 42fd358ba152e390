"""`evaluate_outputs`: result videos of several systems against the true ones, as one of the paper's tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.comparison.evaluation_table import EvaluationTable
from training.comparison.table_columns import TableName

__all__ = ["evaluate_outputs"]


def evaluate_outputs(
    outputs: Mapping[str, str | Path] | Sequence[str],
    truth: str | Path,
    out: str | Path | None = None,
    *,
    table: TableName = "reconstruction",
    reference: str | Path | None = None,
    faces: str = "mediapipe",
    cache: str | Path | None = None,
    size_px: int | None = None,
    device: str = "auto",
    seed: int = 0,
) -> EvaluationTable:
    """Measure result videos of systems against the true videos.

    Args:
        outputs: folders by the names of the systems, or texts NAME=FOLDER; a folder without a name has its own.
        truth: folder of the true videos; for cross-reenactment, of the driving ones. Matched by path, without suffix.
        out: folder to write `table.json`, `table.tex` and `table.html` into; it appears complete or not at all. None:
            nothing is written.
        table: which columns count.
        reference: folder of the pictures or videos of which each result shows the person, matched likewise; None: the
            first frame of the true video, and nothing for `reenactment`.
        faces: the face finder that made the data, a value of `perception.faces` of `gaia-curate`.
        cache: folder of features by content; None: one in the user's cache.
        size_px: width to which all pictures are scaled; None: that of each true video.
        device: of the networks of the metrics, `auto`, `cpu`, `cuda` or `cuda:K`.
        seed: of the intervals and tests.

    Raises:
        UnusableVideosError: folders are missing or empty, or nothing matches.
        UsageError: `out` holds other files, or an argument cannot be used.
        OSError: a file cannot be written.
    """
    raise NotImplementedError

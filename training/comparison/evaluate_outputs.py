"""`evaluate_outputs`: result videos of several systems against the true ones, as one of the paper's tables."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.comparison.estimates_over_videos import paired_tests, system_result, video_scores
from training.comparison.evaluation_table import EvaluationTable
from training.comparison.feature_cache import FeatureCache, default_cache
from training.comparison.matched_outputs import match_outputs
from training.comparison.measured_outputs import OutputMeasurer
from training.comparison.metric_networks import MetricNetworks
from training.comparison.published_tables import published_order
from training.comparison.table_columns import TABLES, TableName
from training.comparison.written_results import ResultFolder
from training.evaluation.face_models import FaceModels

__all__ = ["evaluate_outputs"]


def evaluate_outputs(
    outputs: Mapping[str, str | Path] | Sequence[str],
    truth: str | Path,
    out: str | Path | None = None,
    *,
    table: TableName = "reconstruction",
    reference: str | Path | None = None,
    faces: str | FaceModels = "mediapipe",
    cache: str | Path | None = None,
    size_px: int | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EvaluationTable:
    """Measure result videos of systems against the true videos.

    Args:
        outputs: folders by the names of the systems, or texts NAME=FOLDER; a folder without a name has its own.
        truth: folder of the true videos; for `reenactment`, of the driving ones. Matched by path, without suffix.
        out: folder to write `table.json`, `table.tex` and `table.html` into; it appears complete or not at all. An
            earlier evaluation there is replaced. None: nothing is written.
        table: which columns count.
        reference: folder of the pictures or videos of which each result shows the person, matched likewise. None: the
            identity is compared with each true frame for `reconstruction`, with the first one for `speech`, and not
            for `reenactment`.
        faces: the face finder that made the data, a value of `perception.faces` of `gaia-curate`; or models of your
            own.
        cache: folder of features by content; None: one in the user's cache.
        size_px: width to which all pictures are scaled; None: that of each true video.
        device: of the networks of the metrics: `auto`, `cpu`, `cuda` or `cuda:K`. Faces are found on the CPU.
        seed: of the intervals and tests.
        progress: called with the number of videos done, and of all.

    Raises:
        UnusableVideosError: folders are missing or empty, or nothing matches or can be decoded.
        UsageError: `out` holds other files, or an argument cannot be used.
        DeviceError: the device cannot be used.
        OSError: a file cannot be written.
    """
    folder = None if out is None else ResultFolder(Path(out))
    matched = match_outputs(outputs, truth)
    networks = MetricNetworks(faces, device)
    unavailable = networks.unavailable(table)
    if table == "reenactment" and reference is None:
        without = "the person is not that of the true video; give --reference, a folder of pictures"
        unavailable |= {key: without for key in ("csim_dlib", "csim_arcface") if key not in unavailable}
    columns = tuple(key for key in TABLES[table].all if key not in unavailable)
    measurer = OutputMeasurer(
        networks,
        FeatureCache(default_cache() if cache is None else Path(cache)),
        columns,
        reference=None if reference is None else Path(reference),
        first_frame=table == "speech",
        size_px=size_px,
    )
    for number, video in enumerate(matched.videos, start=1):
        of_video = {name: paths[video] for name, paths in matched.results.items() if video in paths}
        measurer.measure(video, matched.truth[video], of_video)
        if progress is not None:
            progress(number, len(matched.videos))
    systems = measurer.systems(published_order(table, matched.systems))
    videos = measurer.truth.videos
    result = EvaluationTable(
        table=table,
        systems=tuple(system_result(system, columns, tuple(videos), seed) for system in systems),
        truth=system_result(measurer.truth, columns, tuple(videos), seed),
        unavailable=unavailable,
        tests=paired_tests(systems, columns, tuple(videos), seed),
        videos=video_scores(systems, columns),
        notes=(*matched.notes, *measurer.notes()),
        landmarks=networks.landmarks,
        folder=None if folder is None else folder.path,
    )
    if folder is not None:
        folder.write(result, measurer.shown_videos())
    return result

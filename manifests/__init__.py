"""Datasets on disk: `Dataset` opens one; the tables declare every column; `landmark_scheme` numbers the points.

    from manifests import Dataset

    data = Dataset("my-dataset")

The names of `__all__` are the public interface, and are imported when they are first used. Imports no package of GAIA
but `foundation`.
"""

from typing import TYPE_CHECKING

from foundation.lazy import lazy_attributes

__all__ = [
    "CLIPS",
    "FRAMES",
    "SPANS",
    "TABLES",
    "TICK_RATE_HZ",
    "VIDEOS",
    "Clip",
    "Dataset",
    "DatasetError",
    "MediaError",
    "QueryError",
    "Transcript",
    "Word",
    "landmark_scheme",
]

if TYPE_CHECKING:
    from manifests.clip import Clip
    from manifests.dataset import Dataset
    from manifests.errors import DatasetError
    from manifests.files.media import MediaError
    from manifests.files.transcript import Transcript, Word
    from manifests.landmarks import landmark_scheme
    from manifests.reports.queries import QueryError
    from manifests.schema.clips import CLIPS
    from manifests.schema.frames import FRAMES
    from manifests.schema.tables import TABLES
    from manifests.schema.videos import SPANS, VIDEOS
    from manifests.timeline import TICK_RATE_HZ
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "CLIPS": "manifests.schema.clips",
            "FRAMES": "manifests.schema.frames",
            "SPANS": "manifests.schema.videos",
            "TABLES": "manifests.schema.tables",
            "TICK_RATE_HZ": "manifests.timeline",
            "VIDEOS": "manifests.schema.videos",
            "Clip": "manifests.clip",
            "Dataset": "manifests.dataset",
            "DatasetError": "manifests.errors",
            "MediaError": "manifests.files.media",
            "QueryError": "manifests.reports.queries",
            "Transcript": "manifests.files.transcript",
            "Word": "manifests.files.transcript",
            "landmark_scheme": "manifests.landmarks",
        },
    )

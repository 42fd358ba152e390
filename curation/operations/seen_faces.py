"""Faces of a video by their descriptors, as the table `frames` has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa

from foundation.array_types import Float32Array, Int64Array
from manifests.timeline import TICK_RATE_HZ

__all__ = ["SeenFaces", "ShownClip"]

_MOST = 0.5
"""Share of the ticks of a clip from which it shows a person."""


class ShownClip(NamedTuple):
    """Place of a clip in its video."""

    clip_id: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenFaces:
    """Described faces of a video, M in all, and its main track."""

    ticks: Int64Array
    """(M,) when."""
    tracks: Int64Array
    """(M,) of which track."""
    descriptors: Float32Array
    """(M, D)."""
    main_ticks: Int64Array
    """(N,) ticks with a main face."""
    main_tracks: Int64Array
    """(N,) its track there."""

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """Return the faces in rows of `frames` of one video."""
        lists = rows["other_faces"].combine_chunks()
        others = pa.table(
            {
                "tick": pa.array(np.repeat(rows["tick"].to_numpy(), lists.value_lengths().to_numpy())),
                **{name: lists.flatten().field(name) for name in ("track_id", "descriptor")},
            }
        )
        main = rows.select(others.column_names)
        faces = pa.concat_tables([main, others.cast(main.schema)])
        faces = faces.filter(faces["descriptor"].is_valid())
        values = faces["descriptor"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        main = main.filter(main["track_id"].is_valid())
        return cls(
            ticks=faces["tick"].to_numpy().astype(np.int64),
            tracks=faces["track_id"].to_numpy().astype(np.int64),
            descriptors=values.astype(np.float32).reshape(len(faces), -1)
            if len(faces)
            else np.zeros((0, 0), np.float32),
            main_ticks=main["tick"].to_numpy().astype(np.int64),
            main_tracks=main["track_id"].to_numpy().astype(np.int64),
        )

    def shows(self, clip: ShownClip, tracks: Sequence[int]) -> bool:
        """Return whether the main face of most of a clip is of one of these tracks."""
        first, end = (round(time_s * TICK_RATE_HZ) for time_s in (clip.start_s, clip.end_s))
        inside = self.main_tracks[(self.main_ticks >= first) & (self.main_ticks < end)]
        return bool(np.isin(inside, tracks).mean() > _MOST) if len(inside) else False

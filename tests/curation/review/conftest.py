"""A dataset of sixty stretches: faces from 71 to 130 px wide, each alone in a video of 4 s."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.review_pages import TICKS, WIDTHS, video_of

from curation.decision.decide import decide
from curation.evidence.measures import Evidence
from curation.output.curated_video import decided_columns, write_decision
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.output.sole_writer import sole_writer_of_new
from curation.output.video_files import VideoFiles
from curation.settings import CurationSettings, load_settings
from curation.sources.entries import SourceVideo

JUDGED = load_settings(CurationSettings(), None, ["perception.sync=none"])


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, make_evidence: Callable[..., Evidence]) -> Path:
    """The dataset; read it, never write to it. Its sources are gone, and it has no clips, as after `decide`."""
    root = tmp_path_factory.mktemp("judged")
    dataset, records = root / "dataset", []
    with sole_writer_of_new(dataset, "test", wait=False):
        folder = DatasetFolder.begin(dataset, JUDGED, weights=[])
        for width in WIDTHS:
            box = np.tile(np.array([100.0, 80.0, 100.0 + width, 80.0 + width], np.float32), (TICKS, 1))
            evidence = make_evidence(TICKS, boxes=box)
            decision = decide(evidence, JUDGED.rules)
            path = root / "raw" / f"face {width}.mp4"
            video = SourceVideo(path=path, video_id=video_of(width), source="made", speaker_id=None, size_bytes=9)
            write_decision(VideoFiles(dataset, video), evidence, decision, JUDGED)
            facts = {"video_id": video_of(width), "source": "made", "path": str(path), "speaker_id": None}
            facts |= {"size_bytes": 9, "duration_s": TICKS / 25, "status": "ok"}
            records.append(VideoRecord(**{**facts, **decided_columns(decision)}))
        folder.finish(records)
    return dataset

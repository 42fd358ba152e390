"""A small dataset with labels, which a real run has made: read by programs that know nothing of this project."""

import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.made_videos import SmallRun

from manifests.packing.relabel import ClipLabels, relabel_clips
from manifests.schema.videos import VIDEOS

LABELS = {"licence": "CC BY 4.0", "consent": "form 17", "language": "en", "gender": "Female"}


@pytest.fixture(scope="module")
def labelled(small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which the talking video has labels and the mute one has none; read it, never write to it."""
    dataset = Path(shutil.copytree(small_run.dataset, tmp_path_factory.mktemp("labelled") / "talkers"))
    path = dataset / "videos" / "videos.parquet"
    rows = pq.read_table(path).to_pylist()
    talking = next(row["video_id"] for row in rows if row["path"].endswith("a_talking.mp4"))
    for row in rows:
        row.update(LABELS if row["video_id"] == talking else {})
    pq.write_table(pa.Table.from_pylist(rows, schema=VIDEOS.arrow_schema()), path)
    relabel_clips(dataset, ClipLabels(videos={talking: LABELS}))
    ledger = dataset / "ledger" / f"{talking}.json"
    text = ledger.read_text()
    for name, value in LABELS.items():
        text = text.replace(f'"{name}":null', f'"{name}":"{value}"').replace(f'"{name}": null', f'"{name}": "{value}"')
    ledger.write_text(text)
    return dataset


@pytest.fixture
def copy(labelled: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(labelled, tmp_path / "talkers"))


@pytest.fixture(scope="session")
def reader() -> Callable[[str], ModuleType]:
    """Import a library that reads datasets; a developer's test without it is skipped, in CI it fails."""

    def imported(name: str) -> ModuleType:
        if os.environ.get("CI"):
            return importlib.import_module(name)
        return pytest.importorskip(name)

    return imported

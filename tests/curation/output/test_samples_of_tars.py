"""The tars of a real run, as readers of WebDataset's form see them."""

import json
import tarfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow.compute as pc
import pytest
from helpers.made_videos import SmallRun

from curation.media.audio import tick_audio
from curation.media.probe import probe
from curation.operations.decide import redecide
from manifests.files.tables import read_table

pytestmark = pytest.mark.slow


def tars_of(run: SmallRun) -> list[Path]:
    return sorted((run.dataset / "media").glob("*.tar"))


def test_datasets_takes_every_tar_for_samples_of_one_kind(small_run: SmallRun, tmp_path: Path) -> None:
    found = []
    for tar in tars_of(small_run):  # `datasets` refuses a tar whose samples have different files
        samples = datasets.load_dataset(
            "webdataset", data_files=str(tar), split="train", streaming=True, cache_dir=str(tmp_path)
        )
        found.append({name for name in samples.features if not name.startswith("__")})
    assert sorted(found, key=len) == [{"mp4", "json"}, {"mp4", "flac", "json"}]


def test_the_json_of_a_sample_is_its_row(small_run: SmallRun) -> None:
    rows = {row["clip_id"]: row for row in read_table(small_run.dataset, "clips").to_pylist()}
    for tar in tars_of(small_run):
        with tarfile.open(tar) as archive:
            (file,) = (archive.extractfile(name) for name in archive.getnames() if name.endswith(".json"))
            assert file is not None
            facts = json.loads(file.read())
        row = rows[facts["clip_id"]]
        assert facts == {
            name: pytest.approx(row[name]) if isinstance(row[name], float) else row[name] for name in facts
        }


def test_a_clip_of_tier_vae_keeps_the_sound_of_its_source(small_run: SmallRun, tmp_path: Path) -> None:
    nobody_speaks = {"rules.still_face.min_motion": 1.0}
    decided = redecide(small_run.dataset, tmp_path / "vae", overrides=nobody_speaks, render=True)
    (clip_id,) = decided.clips(where=pc.field("flac_offset").is_valid())["clip_id"].to_pylist()
    clip = decided.clip(clip_id)
    assert (clip.row["tier"], clip.row["denoiser"], clip.row["snr_db"]) == ("vae", None, None)
    info = probe(small_run.source / "a_talking.mp4")
    expected = tick_audio(info, round(clip.row["start_s"] * 25), round(clip.row["end_s"] * 25))
    np.testing.assert_allclose(clip.audio(), expected, atol=1 / 32_000)
    assert [problem for problem in decided.validate() if clip.clip_id in str(problem)] == []

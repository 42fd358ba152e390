"""The card of a dataset: other libraries open the folder by it, and no file of another origin is replaced."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.dataset_tools.describe import write_card
from curation.engine.execution import Executor
from curation.operations.forget import forget
from curation.operations.run import run
from curation.settings import CurationSettings
from manifests.card.own_files import CardFileError
from manifests.errors import DatasetError
from manifests.files.names import UnsafeValueError
from manifests.reports.validate import validate
from manifests.schema.tables import TABLES
from manifests.schema.videos import VIDEOS

Reader = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def described(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = Path(shutil.copytree(labelled, tmp_path_factory.mktemp("described") / "talkers"))
    done = CliRunner().invoke(app, ["card", str(dataset)])
    assert done.exit_code == 0, done.output
    assert "No licence is recorded for 1 of 2 clips." in done.output
    assert "No consent is recorded for 1 of 2 clips." in done.output
    return dataset


def front(dataset: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((dataset / "README.md").read_text(encoding="utf-8").split("---\n")[1]))


def rows_of(dataset: Path, table: str) -> list[dict[str, Any]]:
    return [row for path in sorted((dataset / table).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.slow
def test_the_folder_opens_with_hugging_faces_datasets(
    described: Path, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = reader("datasets")
    clips = rows_of(described, "clips")
    found = datasets.load_dataset(str(described), cache_dir=str(tmp_path))
    (split,) = found
    own = [clip for clip in clips if clip["split"] == split]
    assert split == "train"
    assert found[split]["clip_id"] == [clip["clip_id"] for clip in own]
    first = found[split].with_format("numpy")[0]
    assert np.asarray(first["landmarks"]).shape == (own[0]["n_frames"], 478, 2)
    assert np.array_equal(np.asarray(first["landmarks"]), np.array(own[0]["landmarks"], np.float32))
    names = datasets.get_dataset_config_names(str(described))
    assert names == [*dict.fromkeys(clip["split"] for clip in clips), "videos", "frames", "spans", "clips"]
    for table in ("videos", "spans", "clips"):
        whole = datasets.load_dataset(str(described), table, cache_dir=str(tmp_path))[table]
        assert whole.num_rows == len(rows_of(described, table))
    frames = datasets.load_dataset(str(described), "frames", cache_dir=str(tmp_path), streaming=True)["frames"]
    assert [row["tick"] for row in frames.take(3)] == [0, 1, 2]


def test_the_features_are_those_that_datasets_itself_finds_in_the_files(described: Path, reader: Reader) -> None:
    datasets = reader("datasets")
    for info in front(described)["dataset_info"]:
        stated = datasets.Features._from_yaml_list(info["features"])
        table = info["config_name"] if info["config_name"] in TABLES else "clips"
        schema = pq.read_schema(next((described / table).glob("*.parquet")))
        assert stated == datasets.Features.from_arrow_schema(schema), table


@pytest.mark.slow
def test_mlcroissant_validates_the_description_and_iterates_rows_with_their_shapes(
    described: Path, reader: Reader
) -> None:
    croissant = reader("mlcroissant").Dataset(jsonld=str(described / "croissant.json"))
    issues = croissant.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    clips = rows_of(described, "clips")
    records = list(croissant.records("clips"))
    assert [record["clips/clip_id"].decode() for record in records] == [clip["clip_id"] for clip in clips]
    for record, clip in zip(records, clips, strict=True):
        assert np.array_equal(np.array(record["clips/landmarks"]), np.array(clip["landmarks"], np.float32))
        assert record["clips/gender"] == (clip["gender"] and clip["gender"].encode())
        assert record["clips/n_frames"] == clip["n_frames"]
    fields = {field.id: field for one in croissant.metadata.record_sets for field in one.fields}
    assert fields["clips/landmarks"].array_shape_tuple == (-1, 478, 2)
    assert fields["clips/speech_features"].array_shape_tuple == (-1, 384)
    assert fields["frames/key_points"].array_shape_tuple == (9, 2)
    assert len(list(croissant.records("videos"))) == 4
    assert next(iter(croissant.records("frames")))["frames/tick"] == 0


def test_the_tars_are_samples_of_webdataset(described: Path, reader: Reader) -> None:
    webdataset = reader("webdataset")
    clips = {clip["clip_id"]: clip for clip in rows_of(described, "clips")}
    seen = []
    for tar in sorted((described / "media").glob("*.tar")):
        for sample in webdataset.WebDataset(str(tar), shardshuffle=False):
            clip = clips[sample["__key__"]]
            assert hashlib.sha256(sample["mp4"]).hexdigest() == clip["mp4_sha256"]
            assert ("flac" in sample) == (clip["flac_sha256"] is not None)
            assert json.loads(sample["json"])["n_frames"] == clip["n_frames"]
            seen.append(sample["__key__"])
    assert sorted(seen) == sorted(clips)


def test_tables_open_in_data_frames_and_databases(described: Path, reader: Reader) -> None:
    pattern = str(described / "clips" / "*.parquet")
    expected = sorted(clip["clip_id"] for clip in rows_of(described, "clips"))
    n_frames = sum(clip["n_frames"] for clip in rows_of(described, "clips"))
    clips = reader("duckdb").read_parquet(pattern)
    sums = clips.aggregate("list_sort(list(clip_id)), sum(len(landmarks)), min(len(landmarks[1]))")
    assert sums.fetchall() == [(expected, n_frames, 478)]
    frame = reader("pandas").read_parquet(described / "clips")
    assert sorted(frame["clip_id"]) == expected
    assert np.stack(frame["landmarks"][0]).shape == (frame["n_frames"][0], 478)
    polars = reader("polars").read_parquet(pattern)
    assert sorted(polars["clip_id"]) == expected
    assert polars["landmarks"].list.len().sum() == n_frames


def test_the_page_tells_licence_consent_figures_and_limits(described: Path) -> None:
    page = (described / "README.md").read_text(encoding="utf-8")
    assert front(described)["license"] == "other", "one clip's licence is not stated"
    assert front(described)["language"] == ["en"]
    assert "| raw | **not stated** | 1 |" in page
    assert "| raw | CC BY 4.0 | 1 | 3.4 | 1 | 0 | 0 |" in page
    assert "### By gender" in page
    assert "Too few people to compare rules" in page
    assert "## Intended use" in page
    assert "biometric data in most places" in page


def test_a_card_is_written_anew_but_no_file_of_another_origin_is_replaced(copy: Path) -> None:
    write_card(copy)
    write_card(copy)
    for name in ("README.md", "croissant.json"):
        own = (copy / name).read_bytes()
        (copy / name).write_bytes(own.replace(b"talkers", b"walkers"))
        with pytest.raises(CardFileError, match=rf"{name} was not written by `gaia-curate card`, or was changed since"):
            write_card(copy)
        (copy / name).write_bytes(own)
    (copy / "README.md").write_text("# mine\n")
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    done = CliRunner().invoke(app, ["card", str(copy)])
    assert done.exit_code == 2
    assert "README.md was not written by" in done.stderr
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before
    (copy / "README.md").unlink()
    (copy / "README.md").symlink_to(copy.parent / "elsewhere")
    with pytest.raises(UnsafeValueError, match=r"README\.md is a link"):
        write_card(copy)
    assert not (copy.parent / "elsewhere").exists()


def test_text_of_a_stranger_is_text_on_the_page(copy: Path) -> None:
    path = copy / "videos" / "videos.parquet"
    rows = pq.read_table(path).to_pylist()
    seal = "gaia-curate card, sha256 of the rest " + "0" * 64
    for row in rows:
        row["gender"] = f"<b>|[x](y)|{{seal}} {seal}"
    pq.write_table(pa.Table.from_pylist(rows, schema=VIDEOS.arrow_schema()), path)
    write_card(copy)
    page = (copy / "README.md").read_text(encoding="utf-8")
    assert "\\<b\\>\\|\\[x\\](y)\\|{seal}" in page
    write_card(copy)


def test_a_dataset_without_clips_and_one_without_videos_have_a_card_that_says_so(
    tmp_path: Path, reader: Reader, copy: Path
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "broken.mp4").write_text("no video")
    run(tmp_path / "raw", tmp_path / "none", CurationSettings(), Executor())
    write_card(tmp_path / "none")
    page = (tmp_path / "none" / "README.md").read_text(encoding="utf-8")
    assert "The dataset has no clips." in page
    assert [config["config_name"] for config in front(tmp_path / "none")["configs"]] == ["videos"]
    croissant = reader("mlcroissant").Dataset(jsonld=str(tmp_path / "none" / "croissant.json"))
    assert len(list(croissant.records("videos"))) == 1
    forget(tmp_path / "none", videos=["broken.mp4"])
    write_card(tmp_path / "none")
    assert "configs" not in front(tmp_path / "none")
    with pytest.raises(DatasetError, match="is no dataset"):
        write_card(tmp_path / "raw")
    for tar in (copy / "media").glob("*.tar"):
        tar.unlink()
    write_card(copy)  # the card is of the tables; `validate` names the media that are gone


def test_forgetting_says_that_the_card_is_of_before_and_the_dataset_with_a_card_is_valid(copy: Path) -> None:
    write_card(copy)
    report = forget(copy, videos=["b_mute.mp4"])
    assert report.not_looked_into == ()
    assert "run `gaia-curate card` again" in report.text()
    assert validate(copy) == []

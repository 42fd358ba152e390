"""What a dataset keeps of what was said, through decide, merge and forget, and that no clip depends on it."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

from curation.cli.app import app
from curation.dataset_tools.merge import merge
from curation.dataset_tools.subset import subset
from curation.model_registry import TRANSCRIBERS, register_model
from curation.operations.decide import redecide
from curation.operations.forget import forget
from curation.speech.cards import TranscriberCard
from foundation.array_types import BoolArray, Float32Array
from manifests.dataset import Dataset
from manifests.errors import DatasetError
from manifests.files.tables import read_table, write_parquet
from manifests.files.transcript import Transcript, Word
from manifests.record import read_dataset
from manifests.reports.group_shares import group_statistics
from manifests.reports.validate import validate
from manifests.schema.clips import CLIPS, TRANSCRIPT_COLUMNS

QUIET = ["speech.denoiser=none", "speech.encoder=none"]


class Listener:
    """Hears two words in everything."""

    calls = 0

    def __call__(self, audio_16k: Float32Array, is_speech: BoolArray) -> Transcript:
        assert len(audio_16k) == 640 * len(is_speech)
        Listener.calls += 1
        end_s = len(audio_16k) / 16_000
        words = (Word("Guten", 0.5, 0.75, 0.5), Word("Tag.", 0.75, end_s, 1.0))
        return Transcript(words=words, text="Guten Tag.", model="listener", language="de", language_confidence=0.75)


@pytest.fixture(scope="module")
def told(small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The small run, with transcripts; read it, never write to it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(TRANSCRIBERS, "_own", {})
    register_model(TranscriberCard(name="listener", load=lambda _settings: Listener()))
    out = tmp_path_factory.mktemp("told") / "dataset"
    redecide(small_run.dataset, out, overrides=["speech.transcript=listener", *QUIET], render=True)
    yield out
    patch.undo()


def spoken(dataset: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(dataset, "clips", ["tier", *TRANSCRIPT_COLUMNS]).to_pylist()
    return sorted(rows, key=lambda row: row["tier"])


def test_clips_of_tier_diffusion_have_words_and_those_of_tier_vae_none(told: Path, small_run: SmallRun) -> None:
    diffusion, vae = spoken(told)
    assert diffusion == {
        "tier": "diffusion",
        "transcript": "Guten Tag.",
        "words": [
            {"word": "Guten", "start_s": 0.5, "end_s": 0.75, "confidence": 0.5},
            {"word": "Tag.", "start_s": 0.75, "end_s": 3.4, "confidence": 1.0},
        ],
        "language_detected": "de",
        "language_confidence": 0.75,
        "transcript_confidence": 0.75,
        "transcript_model": "listener",
    }
    assert vae == {"tier": "vae"} | dict.fromkeys(TRANSCRIPT_COLUMNS)
    assert validate(told) == []
    assert [row["transcript"] for row in spoken(small_run.dataset)] == [None, None], "off by default"


def test_no_second_and_no_byte_of_the_media_depends_on_it(told: Path, small_run: SmallRun, tmp_path: Path) -> None:
    redecide(small_run.dataset, tmp_path / "untold", overrides=QUIET, render=True)
    assert read_table(told, "spans").equals(read_table(tmp_path / "untold", "spans"))

    def members(dataset: Path) -> dict[str, bytes]:
        found = {}
        for path in (dataset / "media").glob("*.tar"):
            with tarfile.open(path) as tar:
                found |= {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
        return found

    assert members(told) == members(tmp_path / "untold")


def test_a_clip_and_queries_give_the_words(told: Path) -> None:
    dataset = Dataset(told)
    clips = [dataset.clip(clip_id) for clip_id in read_table(told, "clips", ["clip_id"])["clip_id"].to_pylist()]
    transcripts = [clip.transcript() for clip in clips]
    (transcript,) = [one for one in transcripts if one is not None]
    assert transcript == Listener()(np.zeros(54_400, np.float32), np.ones(85, np.bool_))
    sql = "SELECT w.word, w.start_s FROM (SELECT unnest(words) AS w FROM clips) ORDER BY w.start_s"
    done = CliRunner().invoke(app, ["stats", str(told), "--sql", sql, "--json"])
    assert done.exit_code == 0, done.output
    assert "Guten" in done.output


def test_statistics_by_language_take_what_was_heard_or_what_a_list_states(told: Path) -> None:
    heard = group_statistics(told, "language_detected")
    assert [(row.group, row.videos, row.kept_s["diffusion"]) for row in heard.groups] == [
        ("de", 1, 3.4),
        (None, 2, 0.0),
    ]
    stated = group_statistics(told, "language")
    assert [(row.group, row.videos) for row in stated.groups] == [(None, 3)]
    done = CliRunner().invoke(app, ["stats", str(told), "--by", "language_detected"])
    assert done.exit_code == 0, done.output
    assert "What is kept, by language_detected" in done.output


def test_another_decision_keeps_the_words_of_clips_it_does_not_change(told: Path, tmp_path: Path) -> None:
    before = Listener.calls
    redecide(told, tmp_path / "again", overrides=["rules.frontal.strict_deg=14"], render=True)
    assert spoken(tmp_path / "again") == spoken(told)
    assert Listener.calls == before + 1, "once more on the made sound of the trial, and on no clip"
    redecide(told, tmp_path / "off", overrides=["speech.transcript=none"], render=True)
    assert [row["transcript"] for row in spoken(tmp_path / "off")] == [None, None]


def test_a_merged_dataset_and_one_that_forgot_somebody_keep_the_words_of_the_others(told: Path, tmp_path: Path) -> None:
    subset(told, "tier = 'diffusion'", tmp_path / "talking")
    subset(told, "tier = 'vae'", tmp_path / "mute")
    merge(tmp_path / "talking", tmp_path / "mute", tmp_path / "both")
    assert spoken(tmp_path / "both") == spoken(told)
    assert validate(tmp_path / "both") == []
    rows = read_table(tmp_path / "both", "videos", ["path", "video_id"]).to_pylist()
    video_of = {Path(row["path"]).name: row["video_id"] for row in rows}
    forget(tmp_path / "both", videos=[video_of["b_mute.mp4"]])
    assert spoken(tmp_path / "both") == spoken(told)[:1]
    forget(tmp_path / "both", videos=[video_of["a_talking.mp4"]])
    assert spoken(tmp_path / "both") == []
    assert not [path for path in (tmp_path / "both").rglob("*") if path.is_file() and b"Guten" in path.read_bytes()]


@pytest.mark.slow
def test_the_words_of_the_sample_are_heard(small_run: SmallRun, tmp_path: Path) -> None:
    redecide(small_run.dataset, tmp_path / "out", overrides=["speech.transcript=whisper-tiny.en", *QUIET], render=True)
    told = spoken(tmp_path / "out")[0]
    assert "talk" in told["transcript"]  # "Hello. I am a photograph that learned to talk"
    assert (told["transcript_model"], told["language_detected"]) == ("whisper-tiny.en", None)
    weights = [one for one in read_dataset(tmp_path / "out").weights if one.name == "whisper-tiny.en"]
    # lips are compared with the sound by the same file
    assert [(one.role, one.licence) for one in weights] == [("perception", "MIT"), ("speech", "MIT")]


def with_cells(told: Path, out: Path, cells: dict[str, Any]) -> Path:
    """A copy in which the clip of tier diffusion says something else."""
    shutil.copytree(told, out)
    for path in (out / "clips").glob("*.parquet"):
        rows = pq.read_table(path, partitioning=None).to_pylist()
        rows = [row | (cells if row["tier"] == "diffusion" else {}) for row in rows]
        write_parquet(path, pa.Table.from_pylist(rows, schema=CLIPS.arrow_schema()), CLIPS)
    return out


def test_a_word_after_the_end_of_its_clip_is_found(told: Path, tmp_path: Path) -> None:
    late = {"word": "late", "start_s": 1.0, "end_s": 3.5, "confidence": 1.0}
    problems = "\n".join(str(one) for one in validate(with_cells(told, tmp_path / "late", {"words": [late]})))
    assert "a word ends at 3.5 s, the clip at 3.4 s" in problems


def test_what_no_transcript_can_say_is_refused(told: Path, tmp_path: Path) -> None:
    dataset = with_cells(told, tmp_path / "spoilt", {"language_detected": "../de", "words": None})
    assert "'../de' cannot be the code of a language" in "\n".join(str(one) for one in validate(dataset))
    clips = read_table(dataset, "clips", ["clip_id", "tier"]).to_pylist()
    (clip_id,) = [row["clip_id"] for row in clips if row["tier"] == "diffusion"]
    with pytest.raises(DatasetError, match="run `gaia-curate validate`"):
        Dataset(dataset).clip(clip_id).transcript()

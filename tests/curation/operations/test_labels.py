"""Licence, consent and groups of people: from a list into the tables, relabelled without work, and consent required."""

from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from helpers.noting_executor import NotingExecutor
from typer.testing import CliRunner

from curation.cli.app import app
from curation.operations.decide import redecide
from curation.operations.forget import forget
from curation.operations.retry import retry
from curation.operations.run import RunReport, run
from curation.output.folder import DatasetFolderError
from curation.settings import CurationSettings, SettingsError, load_settings
from curation.sources.entries import SourceError
from manifests.files.tables import read_table
from manifests.reports.validate import validate

QUIET = ["speech.encoder=none", "speech.denoiser=none", "perception.sync=none"]

PLAIN = load_settings(CurationSettings(), None, QUIET)

STRICT = load_settings(CurationSettings(), None, [*QUIET, "privacy.require_consent=true"])


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number, name in enumerate(("a", "b", "c")):
        write_video(folder / f"{name}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    return folder


def listed(raw: Path, header: str, *rows: str) -> Path:
    path = raw.parent / "list.csv"
    path.write_text("\n".join([f"path,{header}", *(f"raw/{row}" for row in rows), ""]), encoding="utf-8")
    return path


def curated(source: Path, settings: CurationSettings, executor: NotingExecutor | None = None) -> RunReport:
    return run(source, source.parent / "dataset", settings, executor or NotingExecutor())


def rows(dataset: Path, *columns: str) -> list[tuple[object, ...]]:
    table = read_table(dataset, "videos", ["path", *columns]).to_pylist()
    return [(Path(str(row["path"])).name, *(row[name] for name in columns)) for row in table]


def test_labels_of_a_list_are_kept_and_a_change_of_them_measures_nothing_again(raw: Path) -> None:
    header = "speaker_id,licence,consent,language,age,gender,skin_type"
    report = curated(listed(raw, header, "a.mp4,anna,CC BY 4.0,form 17,en,31,Female,3", "b.mp4,bert,,,,,,"), PLAIN)
    dataset = report.dataset.path
    labels = ("licence", "consent", "language", "age", "gender", "skin_type")
    assert rows(dataset, *labels) == [
        ("a.mp4", "CC BY 4.0", "form 17", "en", "31", "Female", "3"),
        ("b.mp4", *[None] * 6),
    ]
    again = NotingExecutor()
    curated(listed(raw, header, "a.mp4,anna,,form 17,en,32,Female,3", "b.mp4,bert,,,,,Male,"), PLAIN, again)
    assert again.names == []
    assert rows(dataset, "licence", "age", "gender") == [("a.mp4", None, "32", "Female"), ("b.mp4", None, None, "Male")]
    decided = redecide(dataset, raw.parent / "decided", None, ["rules.frontal.strict_deg=9"])
    assert rows(decided.path, "age", "gender") == [("a.mp4", "32", "Female"), ("b.mp4", None, "Male")]
    forget(decided.path, speaker="anna")
    assert rows(decided.path, "gender") == [("b.mp4", "Male")]
    assert validate(decided.path) == []


def test_videos_without_recorded_consent_are_not_curated_where_it_is_required(raw: Path) -> None:
    executor = NotingExecutor()
    report = curated(listed(raw, "consent", "a.mp4,form 17", "b.mp4,No", "c.mp4,"), STRICT, executor)
    dataset = report.dataset.path
    assert executor.names == ["a.mp4"]
    assert (report.without_consent, report.excluded, report.dataset.record.totals.excluded) == (2, 0, 2)
    assert rows(dataset, "status", "error_code", "error_detail") == [
        ("a.mp4", "ok", None, None),
        ("b.mp4", "excluded", "no_consent", "recorded as consent is 'No', which is none"),
        ("c.mp4", "excluded", "no_consent", "no consent is recorded"),
    ]
    assert "Taken for consent: 'form 17' (1)." in report.notes
    assert validate(dataset) == []
    with pytest.raises(SourceError, match="nothing to retry"):
        retry(dataset, codes=["no_consent"], videos=["b.mp4"])


def test_consent_that_is_given_later_curates_and_one_that_is_withdrawn_removes(raw: Path) -> None:
    dataset = curated(listed(raw, "consent", "a.mp4,yes", "b.mp4,"), STRICT).dataset.path
    executor = NotingExecutor()
    curated(listed(raw, "consent", "a.mp4,withdrawn 2026-11-01", "b.mp4,yes"), STRICT, executor)
    assert executor.names == ["b.mp4"]
    assert rows(dataset, "error_code") == [("a.mp4", "no_consent"), ("b.mp4", None)]
    spans = read_table(dataset, "spans", ["video_id"])["video_id"].to_pylist()
    ids = dict(zip(("a", "b"), read_table(dataset, "videos", ["video_id"])["video_id"].to_pylist(), strict=True))
    assert set(spans) == {ids["b"]}
    assert validate(dataset) == []


def test_a_dataset_of_people_who_consented_takes_no_others_later(raw: Path) -> None:
    source = listed(raw, "consent", "a.mp4,yes", "b.mp4,")
    dataset = curated(source, STRICT).dataset.path
    with pytest.raises(DatasetFolderError, match="was made with --require-consent"):
        curated(source, PLAIN)
    with pytest.raises(SettingsError, match=r"privacy\.require_consent: `gaia-curate run` alone applies it"):
        redecide(dataset, raw.parent / "decided", None, ["privacy.require_consent=false"])


def test_consent_that_is_required_later_removes_what_an_earlier_run_kept(raw: Path) -> None:
    source = listed(raw, "consent", "a.mp4,yes", "b.mp4,")
    dataset = curated(source, PLAIN).dataset.path
    executor = NotingExecutor()
    curated(source, STRICT, executor)
    assert executor.names == []
    assert rows(dataset, "status") == [("a.mp4", "ok"), ("b.mp4", "excluded")]


def test_a_copy_that_states_a_refusal_refuses_for_its_content(raw: Path) -> None:
    (raw / "z.mp4").write_bytes((raw / "a.mp4").read_bytes())
    report = curated(listed(raw, "consent", "a.mp4,yes", "z.mp4,revoked", "b.mp4,yes"), STRICT)
    assert rows(report.dataset.path, "error_code") == [
        ("a.mp4", "no_consent"),
        ("b.mp4", None),
        ("z.mp4", "no_consent"),
    ]


def test_the_option_is_the_setting_and_the_summary_counts(raw: Path) -> None:
    source = listed(raw, "consent", "a.mp4,", "b.mp4,no")
    arguments = ["run", "--source", str(source), "--out", str(raw.parent / "out"), "--preset", "embedded"]
    done = CliRunner().invoke(app, [*arguments, "--require-consent", *(f"--set={one}" for one in QUIET)])
    assert done.exit_code == 0, done.output
    assert "2 files were left out: no consent is recorded; `videos` says `no_consent`." in done.output

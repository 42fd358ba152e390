"""A dataset from a stranger is data: what it states is refused by name before a command changes or follows anything."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers.received_datasets import (
    RECEIVED,
    everything_in,
    make_device,
    make_fifo,
    make_received,
    make_socket,
    rewrite_json,
    rewrite_row,
)
from typer.testing import CliRunner, Result

from curation.cli.app import app
from foundation.errors import EXIT_PROBLEMS, EXIT_USAGE
from manifests.files.tables import read_table

FIRST, SECOND = RECEIVED

_WRITERS = ("forget", "retry", "decide", "run")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a received dataset, and with files of the user's own beside it."""
    make_received(tmp_path / "dataset")
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("precious.txt", f"{FIRST}.parquet", f"{FIRST}.tar", f"{FIRST}.json", "precious.parquet"):
        (outside / name).write_bytes(b"mine")
    (tmp_path / "source.mp4").write_bytes(b"no video")
    return tmp_path


@pytest.fixture(autouse=True)
def _ends_within_a_minute() -> Iterator[None]:
    """Fail a test that waits for a pipe."""

    def late(*_: object) -> None:
        raise TimeoutError("waited for more than 60 s")

    assert threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def command(place: Path, name: str) -> Result:
    dataset = str(place / "dataset")
    arguments = {
        "forget": ["forget", dataset, "--speaker", "0"],
        "retry": ["retry", dataset, "--failed"],
        "decide": ["decide", dataset, "--out", str(place / "again")],
        "run": ["run", "--source", str(place / "source.mp4"), "--out", dataset, "--preset", "embedded"],
        "validate": ["validate", dataset],
        "stats": ["stats", dataset],
        "sql": ["stats", dataset, "--sql", "SELECT count(*) FROM frames, clips, spans"],
    }
    return CliRunner().invoke(app, arguments[name])


def _journal(**content: object) -> Callable[[Path], None]:
    return lambda dataset: (dataset / ".swap.json").write_text(json.dumps({"come": {}, "gone": [], **content}))


def _with_hidden_file(hidden: str, name: str) -> Callable[[Path], None]:
    def spoil(dataset: Path) -> None:
        (dataset / "clips" / ".a.new").write_bytes(b"hers")
        _journal(come={hidden: name})(dataset)

    return spoil


def _ledger(**values: object) -> Callable[[Path], None]:
    return lambda dataset: rewrite_json(dataset / "ledger" / f"{FIRST}.json", values)


def _linked_out(name: str) -> Callable[[Path], None]:
    def spoil(dataset: Path) -> None:
        path = dataset / name
        if path.is_dir():
            path.rename(dataset.parent / "outside" / name)
        else:
            path.unlink(missing_ok=True)
        target = dataset.parent / "outside" / (name if "." not in name else "precious.txt")
        target.exists() or target.mkdir(parents=True)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(target)

    return spoil


def _row(table: str, part: str, **values: object) -> Callable[[Path], None]:
    return lambda dataset: rewrite_row(dataset / table / part, 0, values)


def _footer(table: str, **facts: object) -> Callable[[Path], None]:
    """Make the file of the first video a packed one, whose footer says so and that."""

    def spoil(dataset: Path) -> None:
        path = dataset / table / f"{FIRST}.parquet"
        rows = pq.read_table(path, partitioning=None)
        stated = {"prefix": "0", "videos": {FIRST: [100, 100]}, "media": [f"media/{FIRST}.tar"], **facts}
        packed = rows.schema.with_metadata({**rows.schema.metadata, b"gaia_packed": json.dumps(stated).encode()})
        pq.write_table(rows.cast(packed), dataset / table / "part-0-000000000000.parquet")
        path.unlink()

    return spoil


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "journal removes a file outside": (_journal(gone=["../outside/precious.txt"]), "precious.txt"),
    "journal removes an absolute name": (_journal(gone=["/srv/precious.parquet"]), "/srv/precious.parquet"),
    "journal climbs behind a folder": (_journal(gone=["clips/../../outside/precious.parquet"]), "precious"),
    "journal puts a file outside": (
        _with_hidden_file("clips/.a.new", "../outside/precious.txt"),
        "precious.txt",
    ),
    "journal takes a file from outside": (
        _journal(come={"../outside/precious.txt": "clips/a.parquet"}),
        "precious.txt",
    ),
    "journal removes a record": (_journal(gone=["ledger/events.jsonl"]), "events.jsonl"),
    "journal is a pipe": (lambda dataset: make_fifo(dataset / ".swap.json"), "named pipe"),
    "journal is a link": (lambda dataset: (dataset / ".swap.json").symlink_to("/dev/zero"), "a link"),
    "ledger's id climbs out": (_ledger(video_id=f"../../outside/{FIRST}"), "video_id"),
    "ledger's id is absolute": (_ledger(video_id="/srv/x"), "video_id"),
    "ledger's record is about another video": (_ledger(video_id=SECOND), "another video"),
    "ledger's path has a zero byte": (_ledger(path="/a\0b"), "path"),
    "ledger is linked out": (_linked_out("ledger"), "ledger is a link"),
    "media are linked out": (_linked_out("media"), "media is a link"),
    "a table is linked out": (_linked_out("clips"), "clips is a link"),
    "windows are linked out": (_linked_out("windows"), "windows is a link"),
    "latents are linked out": (_linked_out("latents"), "latents is a link"),
    "latents of a VAE are linked out": (_linked_out("latents/0123456789abcdef"), "0123456789abcdef is a link"),
    "a part is a link": (_linked_out(f"frames/{FIRST}.parquet"), f"{FIRST}.parquet is a link"),
    "a tar is a link": (_linked_out(f"media/{FIRST}.tar"), f"{FIRST}.tar is a link"),
    "the log is a link": (_linked_out("ledger/events.jsonl"), "events.jsonl is a link"),
    "a part is a pipe": (lambda dataset: make_fifo(dataset / "spans" / "part-1.parquet"), "a named pipe"),
    "a tar is a socket": (lambda dataset: make_socket(dataset / "media" / f"{FIRST}.tar"), "a socket"),
    "a record is a pipe": (lambda dataset: make_fifo(dataset / "ledger" / f"{FIRST}.json"), "a named pipe"),
    "the log is a pipe": (lambda dataset: make_fifo(dataset / "ledger" / "events.jsonl"), "a named pipe"),
    "a part is a device": (lambda dataset: make_device(dataset / "clips" / f"{FIRST}.parquet"), "a link"),
    "a footer's tar is outside": (_footer("clips", media=["../outside/precious.tar"]), "precious.tar"),
    "a footer's video is outside": (_footer("frames", videos={f"../../outside/{FIRST}": [9, 9]}), "outside"),
    "a footer's size is negative": (_footer("spans", videos={FIRST: [-9, 9]}), "videos"),
    "a footer's prefix is a path": (_footer("spans", prefix="../"), "prefix"),
    "a clip's tar is outside": (_row("clips", f"{FIRST}.parquet", media="../outside/precious.tar"), "precious.tar"),
    "a clip's name climbs": (_row("clips", f"{FIRST}.parquet", clip_id=f"../{FIRST}-0000000-0000009"), "clip_id"),
    "a clip's offset is negative": (_row("clips", f"{FIRST}.parquet", mp4_offset=-5), "mp4_offset"),
    "a clip's time is infinite": (_row("clips", f"{FIRST}.parquet", end_s=float("inf")), "end_s"),
    "a clip has no frames": (_row("clips", f"{FIRST}.parquet", n_frames=0), "n_frames"),
    "an evidence's video is outside": (_row("frames", f"{FIRST}.parquet", video_id="../../x"), "../../x"),
    "a row's video is outside": (_row("videos", "videos.parquet", video_id=f"../../outside/{FIRST}"), "video_id"),
    "a video is endless": (_row("videos", "videos.parquet", duration_s=1e300), "duration_s"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_leads_out_is_refused_by_name_before_anything_is_changed(place: Path, case: str) -> None:
    spoil, expected = HOSTILE[case]
    spoil(place / "dataset")
    before = everything_in(place)
    for name in _WRITERS:
        result = command(place, name)
        assert (result.exit_code, expected in result.output) == (EXIT_USAGE, True), (name, result.output)
        assert result.output.count("\n") == 1, (name, result.output)
        assert everything_in(place) == before, name
    result = command(place, "validate")
    reported = EXIT_USAGE if case == "ledger is linked out" else EXIT_PROBLEMS  # without its record it is no dataset
    assert (result.exit_code, expected in result.output) == (reported, True), result.output
    for name in ("stats", "sql"):
        result = command(place, name)
        assert result.exit_code in (0, EXIT_USAGE), (name, result.output)
        assert "Traceback" not in result.output
    assert everything_in(place) == before


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"removals": {"salt": "no hex"}}, "removals.salt"),
        ({"removals": {"salt": "00", "videos": ["../x"]}}, "removals.videos"),
        (
            {"weights": [{"name": "a", "role": "speech", "sha256": "x", "licence": "", "commercial_use": None}]},
            "sha256",
        ),
        ({"layouts": [{"folder_sha256": "x", "layout": "auto"}]}, "folder_sha256"),
        ({"exclusions": [{"option": "", "sha256": "0" * 64, "entries": -1}]}, "entries"),
    ],
)
def test_a_record_that_states_what_cannot_be_is_refused(place: Path, values: dict[str, object], expected: str) -> None:
    rewrite_json(place / "dataset" / "dataset.json", values)
    before = everything_in(place)
    for name in (*_WRITERS, "validate"):
        result = command(place, name)
        assert (result.exit_code, expected in result.output) == (EXIT_USAGE, True), (name, result.output)
    assert everything_in(place) == before


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_device])
@pytest.mark.parametrize("name", ["dataset.json", "ledger/dataset.json.draft"])
def test_a_record_that_is_no_file_is_refused_without_waiting(
    place: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(place / "dataset" / name)
    for command_name in (*_WRITERS, "validate", "stats"):
        result = command(place, command_name)
        assert (result.exit_code, "not a regular file" in result.output) == (EXIT_USAGE, True), result.output


def test_a_new_folder_whose_ledger_leads_out_is_not_written_through(place: Path) -> None:
    (place / "new").mkdir()
    (place / "new" / "ledger").symlink_to(place / "outside")
    before = everything_in(place)
    result = CliRunner().invoke(app, ["run", "--source", str(place / "source.mp4"), "--out", str(place / "new")])
    assert (result.exit_code, "ledger is a link" in result.output) == (EXIT_USAGE, True), result.output
    assert everything_in(place) == before


def test_a_person_is_forgotten_in_a_dataset_that_is_reached_through_a_link(place: Path) -> None:
    (place / "dataset").rename(place / "real")
    (place / "dataset").symlink_to("real")
    outside = everything_in(place / "outside")
    result = command(place, "forget")
    assert result.exit_code == 0, result.output
    assert read_table(place / "real", "videos")["video_id"].to_pylist() == [SECOND]
    assert sorted(path.name for path in (place / "real" / "media").iterdir()) == [f"{SECOND}.tar"]
    assert everything_in(place / "outside") == outside


def test_a_packed_dataset_is_forgotten_as_before(tmp_path: Path) -> None:
    make_received(tmp_path / "dataset", packed=True)
    result = command(tmp_path, "forget")
    assert result.exit_code == 0, result.output
    assert read_table(tmp_path / "dataset", "clips")["video_id"].to_pylist() == [SECOND] * 2


def test_links_at_the_names_of_unfinished_files_are_not_written_through(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 4242)
    dataset, target = place / "dataset", place / "outside" / "precious.txt"
    for name in ("dataset.json", "ledger/dataset.json.draft", "videos/videos.parquet", ".swap.json"):
        folder, _, last = f"./{name}".rpartition("/")
        (dataset / folder / f".{last}.4242.part").symlink_to(target)
    assert command(place, "forget").exit_code == 0
    assert target.read_bytes() == b"mine"


def test_a_log_without_lines_is_refused_by_name_and_takes_no_memory(place: Path) -> None:
    with (place / "dataset" / "ledger" / "events.jsonl").open("wb") as log:
        log.truncate(2**40)
    result = command(place, "forget")
    assert (result.exit_code, "events.jsonl: it has a line" in result.output) == (EXIT_USAGE, True), result.output
    assert len(list((place / "dataset" / "ledger").glob("*.json"))) == 2


def test_the_lines_of_a_log_that_name_a_forgotten_video_are_removed(place: Path) -> None:
    log = place / "dataset" / "ledger" / "events.jsonl"
    log.write_text(f'{{"unit": "{FIRST}"}}\n{{"unit": "{SECOND}"}}\n{{"unit": "/{FIRST}"}}\n')
    assert command(place, "forget").exit_code == 0
    assert log.read_text() == f'{{"unit": "{SECOND}"}}\n'

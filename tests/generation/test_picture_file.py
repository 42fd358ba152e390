import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.settings import CurationSettings
from generation.driving import read_driving
from generation.portrait import read_image
from generation.speech import read_speech
from generation.trained_run import GenerationError

UPRIGHT = np.zeros((40, 60, 3), np.uint8)
UPRIGHT[:20, :30] = (255, 0, 0)
UPRIGHT[:20, 30:] = (0, 255, 0)
UPRIGHT[20:, :30] = (0, 0, 255)

_STORED = {
    1: lambda picture: picture,
    2: np.fliplr,
    3: lambda picture: np.rot90(picture, 2),
    4: np.flipud,
    5: lambda picture: np.rot90(np.fliplr(picture)),
    6: np.rot90,  # to be turned clockwise by 90 degrees
    7: lambda picture: np.rot90(np.fliplr(picture), 3),
    8: lambda picture: np.rot90(picture, 3),
}
"""What a file of each EXIF orientation holds of an upright picture (EXIF 2.3, tag 0x0112)."""


@pytest.mark.parametrize("orientation", sorted(_STORED))
def test_a_picture_is_turned_as_exif_says(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(_STORED[orientation](UPRIGHT))).save(tmp_path / "turned.png", exif=exif)
    assert (read_image(tmp_path / "turned.png") == UPRIGHT).all()


def test_transparent_parts_are_white_and_half_transparent_ones_half_so(tmp_path: Path) -> None:
    cut_out = np.zeros((20, 20, 4), np.uint8)
    cut_out[:, :10, 3] = 255
    cut_out[10:, 10:, 3] = 128
    Image.fromarray(cut_out).save(tmp_path / "cut_out.png")
    picture = read_image(tmp_path / "cut_out.png")
    assert picture.shape == (20, 20, 3)
    assert (picture[:, :10] == 0).all()
    assert (picture[:10, 10:] == 255).all()
    assert (picture[10:, 10:] == 127).all()  # 255 (1 - 128/255)


def test_grey_pictures_of_8_and_16_bits_look_alike(tmp_path: Path) -> None:
    grey = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert (read_image(tmp_path / "8.png") == expected).all()
    assert (read_image(tmp_path / "16.png") == expected).all()


def test_a_palette_with_a_transparent_colour_is_seen_on_white(tmp_path: Path) -> None:
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.paste(1, (10, 0, 20, 20))
    picture.save(tmp_path / "palette.png", transparency=0)
    read = read_image(tmp_path / "palette.png")
    assert (read[:, :10] == 255).all()
    assert (read[:, 10:] == (200, 100, 50)).all()


def test_files_that_are_no_whole_picture_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    Image.fromarray(UPRIGHT).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(UPRIGHT[:8, :8]).save(tmp_path / "small.png")
    for name in ("text.jpg", "empty.jpg", "cut.png", "small.png", "missing.jpg", "."):
        with pytest.raises(GenerationError, match="--portrait"):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("option", "read"),
    [
        ("--portrait", read_image),
        ("--speech", read_speech),
        ("--driving", lambda path: read_driving(path, None, CurationSettings(), 64)),  # type: ignore[arg-type]
    ],
)
def test_a_pipe_in_place_of_a_file_is_named_and_not_waited_for(
    option: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "given.mp4")
    with pytest.raises(GenerationError, match=rf"{option} .*given\.mp4.*a named pipe"):
        read(tmp_path / "given.mp4")

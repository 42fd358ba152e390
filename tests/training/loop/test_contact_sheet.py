from pathlib import Path

import numpy as np
from PIL import Image

from training.loop.contact_sheet import write_contact_sheet, write_preview


def test_sheet_shows_the_first_the_newest_and_some_between(tmp_path: Path) -> None:
    folder, sheet = tmp_path / "pictures", tmp_path / "sheet.png"
    for step in range(0, 1100, 100):  # 11 pictures, each of its own brightness
        write_preview(folder, "swap", step, np.full((30, 50, 3), step // 10, np.uint8))
    write_contact_sheet(folder, sheet)
    shown = np.asarray(Image.open(sheet))
    assert shown.shape == (6 * 50, 50, 3)  # six of 30 rows, each under 20 rows of caption
    assert [int(shown[top + 35, 25, 0]) for top in range(0, 300, 50)] == [0, 20, 40, 60, 80, 100]
    assert (shown[:20] < 128).any()  # a caption


def test_pictures_of_several_names_are_one_above_the_other(tmp_path: Path) -> None:
    write_preview(tmp_path / "p", "a", 1, np.zeros((10, 20, 3), np.uint8))
    write_preview(tmp_path / "p", "b", 1, np.zeros((10, 40, 3), np.uint8))
    write_contact_sheet(tmp_path / "p", tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").size == (40, 60)

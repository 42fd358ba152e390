import json
from pathlib import Path

import pytest

from manifests.clip_size import clip_px
from manifests.errors import DatasetError
from manifests.record import read_dataset


@pytest.mark.parametrize(("config", "size_px"), [({"crop": {"size_px": 512}}, 512), ({"crop": {}}, 256), ({}, 256)])
def test_clips_have_the_size_that_the_settings_name(dataset: Path, config: dict[str, object], size_px: int) -> None:
    path = dataset / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"config": config}))
    assert clip_px(read_dataset(dataset)) == size_px


@pytest.mark.parametrize("size_px", [0, -256, 10**12, True, "256", [256]])
def test_a_size_that_no_clip_can_have_is_refused(dataset: Path, size_px: object) -> None:
    path = dataset / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"config": {"crop": {"size_px": size_px}}}))
    with pytest.raises(DatasetError, match=r"crop\.size_px is"):
        clip_px(read_dataset(dataset))

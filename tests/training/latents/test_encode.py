import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers.raise_points import Ending, Walk, wrong
from helpers.received_datasets import make_device, make_fifo, make_socket, rewrite_row
from helpers.small_disk import fill_up

from manifests.errors import DatasetError
from manifests.files.media import read_frames
from manifests.files.tar import read_member
from manifests.schema.arrow_arrays import numpy_of
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, WeightsError, save_weights
from training.data.clips import ClipReader, DamagedDataError
from training.data.selection import ClipIndex, DataConfig, select_clips
from training.latents.encode import write_latents
from training.latents.files import (
    LatentFacts,
    LatentsError,
    Moments,
    fingerprint_of,
    latent_places,
    latents_folder,
    merged,
    read_facts,
)
from training.loop.parallel import Ranks

CONFIG = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1), groups=2, image_px=64)
CPU = torch.device("cpu")
ALONE = Ranks(device=CPU)
EVERY_SPLIT = DataConfig(tiers=("diffusion",), splits=("train", "val", "test"))


def _vae(path: Path, config: VaeConfig = CONFIG, scheme: str = "ibug68") -> tuple[Path, Vae]:
    torch.manual_seed(0)
    vae = Vae(config).eval()
    save_weights(path, vae, config, WeightFacts(landmark_scheme=scheme, speech_encoder=None))
    return path, vae


def _write(index: ClipIndex, weights: Path, ranks: Ranks = ALONE) -> LatentFacts | None:
    return write_latents(index, weights, ranks=ranks, on_clip=lambda: None)


@pytest.fixture(scope="module")
def small_clips(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(
        tmp_path_factory.mktemp("small") / "dataset",
        {"video": "a", "n_frames": 40},
        {"video": "a", "first": 50, "n_frames": 5},
        {"video": "b", "n_frames": 6, "split": "val"},
        {"video": "c", "n_frames": 7, "tier": "vae"},
        {"video": "d", "n_frames": 8},
    )


@pytest.fixture
def dataset(small_clips: Path, tmp_path: Path) -> Path:
    """A copy of the small dataset; a test may write to it."""
    return Path(shutil.copytree(small_clips, tmp_path / "dataset"))


def _rows(folder: Path, part: str) -> dict[str, list[np.ndarray | None]]:
    table = pq.read_table(folder / part, partitioning=None)
    return {name: numpy_of(table[name]) for name in ("latents", "appearance")}


@pytest.mark.parametrize("clip_px", [32, 128])
def test_clips_of_any_size_give_the_same_motion_latents(
    clip_px: int, make_clips: Callable[..., Path], tmp_path: Path
) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    latents = []
    for size_px in (64, clip_px):
        clip = {"video": "a", "n_frames": 40, "size_px": size_px}
        dataset = make_clips(tmp_path / str(size_px), clip)
        facts = _write(select_clips(dataset, EVERY_SPLIT), weights)
        assert facts is not None
        (rows,) = _rows(latents_folder(dataset, facts.vae_sha256), "a.parquet")["latents"]
        latents.append(rows)
    assert np.allclose(latents[1], latents[0], rtol=1e-3, atol=1e-4)


def test_latents_are_the_means_of_drawn_landmarks_and_of_the_first_picture(dataset: Path, tmp_path: Path) -> None:
    weights, vae = _vae(tmp_path / "vae.safetensors")
    index = select_clips(dataset, EVERY_SPLIT)
    facts = _write(index, weights)
    assert facts is not None
    folder = latents_folder(dataset, facts.vae_sha256)
    rows = _rows(folder, "a.parquet")
    assert sorted(path.name for path in folder.iterdir()) == ["a.parquet", "b.parquet", "d.parquet", "latents.json"]
    renderer = LandmarkRenderer(LandmarkImageConfig(scheme="ibug68", image_px=64))
    points = torch.from_numpy(ClipReader(index).array(0, "landmarks").copy())
    with torch.inference_mode():
        expected = vae.encode_motion(renderer(points, torch.ones(40, 68, dtype=torch.bool))).mean_BCHW
        row = index.row(0)
        first = next(iter(read_frames(read_member(dataset, row.media, row.mp4)).frames))
        picture = torch.from_numpy(first).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        appearance = vae.encode_appearance(picture).mean_BCHW
    assert expected.shape[1:] == facts.latent_shape == (3, 8, 8)
    # float16 has 11 bits
    assert np.allclose(rows["latents"][0], expected.flatten(1), rtol=1e-3, atol=1e-4)
    assert np.allclose(rows["appearance"][0], appearance.flatten(), rtol=1e-3, atol=1e-4)
    assert rows["latents"][1].shape == (5, 192)


def test_without_disentanglement_the_latents_are_of_the_pictures(dataset: Path, tmp_path: Path) -> None:
    weights, vae = _vae(tmp_path / "vae.safetensors", replace(CONFIG, disentangled=False))
    index = select_clips(dataset, EVERY_SPLIT)
    facts = _write(index, weights)
    assert facts is not None
    assert facts.latent_shape == (3, 16, 16)
    (latents,) = _rows(latents_folder(dataset, facts.vae_sha256), "d.parquet")["latents"]
    row = index.row(len(index) - 1)
    pictures = np.stack(list(read_frames(read_member(dataset, row.media, row.mp4)).frames))
    with torch.inference_mode():
        inputs = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        expected = vae.encode_appearance(inputs).mean_BCHW
    assert np.allclose(latents, expected.flatten(1), rtol=1e-3, atol=1e-4)


def test_statistics_are_those_of_the_training_clips(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    facts = _write(select_clips(dataset, EVERY_SPLIT), weights)
    assert facts is not None
    folder = latents_folder(dataset, facts.vae_sha256)
    trained = np.concatenate([*_rows(folder, "a.parquet")["latents"], *_rows(folder, "d.parquet")["latents"]])
    channels = trained.astype(np.float64).reshape(53, 3, 64)
    assert facts.latents.count == 53 * 64
    assert facts.latents.mean == pytest.approx(channels.mean(axis=(0, 2)), abs=1e-12)
    assert facts.latents.std == pytest.approx(channels.std(axis=(0, 2)), rel=1e-12)
    standardised = facts.statistics().standardise(torch.from_numpy(channels.reshape(53, 3, 8, 8)))
    assert standardised.mean((0, 2, 3)).tolist() == pytest.approx([0.0] * 3, abs=1e-5)
    assert standardised.std((0, 2, 3), correction=0).tolist() == pytest.approx([1.0] * 3, rel=1e-5)
    pitch = np.concatenate([np.arange(40), np.arange(5), np.arange(8)])  # of the made clips
    assert facts.pose_deg.mean == pytest.approx([pitch.mean(), -pitch.mean(), 0.0])
    assert facts.pose_deg.std == pytest.approx([pitch.std(), pitch.std(), 0.0])
    assert (facts.clips, facts.frames) == (4, 59)
    assert read_facts(folder) == facts


def test_moments_of_parts_are_those_of_the_whole() -> None:
    parts = [Moments(count=2, mean=(1.0,), squares=(2.0,)), Moments(count=1, mean=(4.0,), squares=(0.0,))]
    # 0, 2 and 4
    assert merged(parts) == Moments(count=3, mean=(2.0,), squares=(8.0,))


def test_a_stopped_run_goes_on_and_ends_as_a_straight_one(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    straight = Path(shutil.copytree(dataset, tmp_path / "straight"))
    assert _write(select_clips(straight, EVERY_SPLIT), weights) is not None
    done = iter(range(3))

    def stop() -> None:
        if next(done) == 2:
            raise KeyboardInterrupt

    index = select_clips(dataset, EVERY_SPLIT)
    with pytest.raises(KeyboardInterrupt):
        write_latents(index, weights, ranks=ALONE, on_clip=stop)
    folder = latents_folder(dataset, fingerprint_of(weights))
    assert [path.name for path in folder.iterdir()] == ["a.parquet"]
    with pytest.raises(LatentsError, match="no complete latents of this VAE: run `gaia-train latents"):
        read_facts(folder)
    written_ns = (folder / "a.parquet").stat().st_mtime_ns
    assert _write(index, weights) is not None
    assert (folder / "a.parquet").stat().st_mtime_ns == written_ns
    other = latents_folder(straight, fingerprint_of(weights))
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    assert all((folder / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_processes_share_the_parts_and_the_last_writes_the_facts(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    index = select_clips(dataset, EVERY_SPLIT)
    assert _write(index, weights, Ranks(rank=1, size=2, device=CPU)) is None
    folder = latents_folder(dataset, fingerprint_of(weights))
    assert [path.name for path in folder.iterdir()] == ["b.parquet"]
    facts = _write(index, weights, Ranks(rank=0, size=2, device=CPU))
    assert facts is not None
    assert facts.clips == 4


def test_another_choice_of_clips_is_encoded_anew(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    config = replace(EVERY_SPLIT, where="n_frames < 40")
    facts = _write(select_clips(dataset, config), weights)
    assert facts is not None
    assert (facts.clips, facts.where) == (3, "n_frames < 40")
    facts = _write(select_clips(dataset, EVERY_SPLIT), weights)
    assert facts is not None
    assert (facts.clips, facts.where) == (4, None)


def test_a_damaged_clip_has_no_latents_and_is_not_in_the_statistics(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    (dataset / "media" / "d.tar").write_bytes(b"no tar")
    facts = _write(select_clips(dataset, EVERY_SPLIT), weights)
    assert facts is not None
    assert facts.latents.count == 45 * 64
    assert facts.pose_deg.count == 45
    assert (facts.clips, facts.damaged) == (4, 1)
    folder = latents_folder(dataset, facts.vae_sha256)
    assert _rows(folder, "d.parquet")["latents"] == [None]
    (dataset / "media" / "a.tar").write_bytes(b"no tar")
    shutil.rmtree(folder)
    with pytest.raises(DamagedDataError, match="max_damaged_share"):
        _write(select_clips(dataset, EVERY_SPLIT), weights)


def test_latents_without_a_training_clip_cannot_be_standardised(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    with pytest.raises(LatentsError, match="no readable clip of tier diffusion is in split train"):
        _write(select_clips(dataset, replace(EVERY_SPLIT, splits=("val",))), weights)


def test_a_vae_of_other_landmarks_is_refused(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors", scheme="mediapipe478")
    with pytest.raises(WeightsError, match="landmark scheme 'mediapipe478', but here it is 'ibug68'"):
        _write(select_clips(dataset, EVERY_SPLIT), weights)


def test_duckdb_reads_the_latents(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    facts = _write(select_clips(dataset, EVERY_SPLIT), weights)
    assert facts is not None
    files = str(latents_folder(dataset, facts.vae_sha256) / "*.parquet")
    rows = duckdb.execute(
        "SELECT clip_id, len(latents), len(latents[1]), len(appearance) FROM read_parquet(?) ORDER BY 1", [files]
    ).fetchall()
    assert rows[0] == ("a-0000000-0000039", 40, 192, 768)
    assert len(rows) == 4


def test_clips_that_have_moved_to_another_part_are_not_encoded_again(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    before = _write(select_clips(dataset, EVERY_SPLIT), weights)
    folder = latents_folder(dataset, fingerprint_of(weights))
    written = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    clips = dataset / "clips"
    tables = [pq.read_table(clips / f"{name}.parquet", partitioning=None) for name in "ab"]
    pq.write_table(pa.concat_tables(tables), clips / "packed.parquet")
    (clips / "a.parquet").unlink()
    (clips / "b.parquet").unlink()
    assert _write(select_clips(dataset, EVERY_SPLIT), weights) == before
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")} == written


def test_a_disk_that_is_full_leaves_whole_latents_and_the_call_goes_on_with_room(
    small_clips: Path, small_disk: Path, tmp_path: Path
) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    straight = shutil.copytree(small_clips, tmp_path / "straight")
    _write(select_clips(straight, EVERY_SPLIT), weights)
    dataset = shutil.copytree(small_clips, small_disk / "dataset")
    index = select_clips(dataset, EVERY_SPLIT)
    folder = latents_folder(dataset, fingerprint_of(weights))
    for n_pages in (0, 3, 6):
        ballast = fill_up(small_disk, n_pages)
        with pytest.raises(OSError, match="No space left") as full:
            _write(index, weights)
        assert full.value.errno == errno.ENOSPC
        assert not (folder / "latents.json").exists()
        assert not list(folder.glob(".*"))
        for file in folder.glob("*.parquet"):
            pq.read_table(file, partitioning=None)
        ballast.unlink()
    _write(index, weights)
    theirs = latents_folder(straight, fingerprint_of(weights))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in theirs.iterdir()
    }


@pytest.fixture
def written(dataset: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A dataset with latents, and the folder of these."""
    weights, _ = _vae(tmp_path / "vae.safetensors")
    _write(select_clips(dataset, EVERY_SPLIT), weights)
    return dataset, latents_folder(dataset, fingerprint_of(weights))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vae_sha256", "../../../x"),
        ("latent_shape", [3, 2**40, 2**40]),
        ("latent_shape", [3, 4, 4]),
        ("clips", -1),
        ("latents", {"count": 0, "mean": [0, 0, 0], "squares": [0, 0, 0]}),
        ("latents", {"count": 1, "mean": [0], "squares": [0]}),
        ("latents", {"count": 1, "mean": [0, 0, 0], "squares": [0, 0, -1]}),
        ("pose_deg", {"count": 1, "mean": [0, 0], "squares": [0, 0]}),
        ("pose_deg", {"count": 1, "mean": [0, 0, 1e999], "squares": [0, 0, 0]}),
    ],
)
def test_facts_that_state_what_cannot_be_are_refused(written: tuple[Path, Path], name: str, value: object) -> None:
    _, folder = written
    path = folder / "latents.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(LatentsError, match=r"latents\.json is damaged"):
        read_facts(folder)


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_device])
def test_latents_that_are_no_files_are_refused_without_waiting(
    written: tuple[Path, Path], make: Callable[[Path], None]
) -> None:
    _, folder = written
    make(folder / "latents.json")
    with pytest.raises(LatentsError, match="not a regular file"):
        read_facts(folder)
    make(folder / "part-0.parquet")
    with pytest.raises(DatasetError, match=r"part-0\.parquet is a .*not a regular file"):
        latent_places(folder)


def test_latents_are_not_written_through_a_link(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    (tmp_path / "outside").mkdir()
    (dataset / "latents").symlink_to(tmp_path / "outside")
    with pytest.raises(DatasetError, match="latents is a link"):
        _write(select_clips(dataset, EVERY_SPLIT), weights)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(
    ("column", "values"), [("channel_mean", [0.0]), ("channel_mean", [float("nan")] * 3), ("channel_squares", None)]
)
def test_statistics_of_rows_that_cannot_be_are_refused(
    written: tuple[Path, Path], tmp_path: Path, column: str, values: object
) -> None:
    dataset, folder = written
    rewrite_row(folder / "a.parquet", 0, {column: values})
    with pytest.raises(LatentsError, match="delete it and give the command again"):
        _write(select_clips(dataset, EVERY_SPLIT), tmp_path / "vae.safetensors")


def test_latents_that_half_floats_cannot_hold_are_damage(dataset: Path, tmp_path: Path) -> None:
    weights, vae = _vae(tmp_path / "vae.safetensors")
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.mul_(1e6)
    save_weights(weights, vae, CONFIG, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    with pytest.raises(DamagedDataError, match="its latents are no finite numbers"):
        _write(select_clips(dataset, EVERY_SPLIT), weights)


def test_a_clip_whose_pose_is_no_numbers_is_not_in_the_statistics_of_poses(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    rewrite_row(dataset / "clips" / "a.parquet", 0, {"pose_deg": [[float("nan")] * 3] * 40})
    facts = _write(select_clips(dataset, EVERY_SPLIT), weights)
    assert facts is not None
    assert facts.pose_deg.count == 5 + 8  # the frames of the other two clips of split train


@pytest.mark.parametrize("every", [100])
def test_the_command_ends_wherever_it_fails_and_goes_on_when_given_again(
    every: int, walk_once: Callable[[Walk], list[Ending]], small_clips: Path, tmp_path: Path
) -> None:
    _vae(tmp_path / "vae" / "step_00000007" / "export" / "ema.safetensors")
    (tmp_path / "vae" / "latest").write_text("step_00000007\n")
    endings = walk_once(
        Walk(
            program="training.cli.app:main",
            arguments=("latents", "FRESH/dataset", "--vae", "FRESH/vae", "--device", "cpu"),
            copies=(str(small_clips), str(tmp_path / "vae")),
            every=every,
            again=True,
        )
    )
    assert len(endings) > 100 / every - 1
    assert wrong(endings, "gaia-train", again=(0,)) == []


def test_what_a_killed_process_left_half_written_is_removed(dataset: Path, tmp_path: Path) -> None:
    weights, _ = _vae(tmp_path / "vae.safetensors")
    folder = latents_folder(dataset, fingerprint_of(weights))
    folder.mkdir(parents=True)
    for name in ("a.parquet", "latents.json"):
        (folder / f".{name}.4194305.part").write_bytes(b"half")
    assert _write(select_clips(dataset, EVERY_SPLIT), weights) is not None
    assert sorted(path.name for path in folder.iterdir()) == ["a.parquet", "b.parquet", "d.parquet", "latents.json"]

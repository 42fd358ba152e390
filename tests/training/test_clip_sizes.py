"""Clips of another size than 256 pixels, from curation to a talking video."""

from pathlib import Path

import av
import numpy as np
import pytest
from helpers.made_videos import counted_picture, read_count
from PIL import Image

from curation import redecide
from curation.media.encode import encode_flac, encode_mp4
from curation.rendering.crop import CropSettings
from generation import talking_video
from manifests import Dataset, MediaError
from manifests.files.media import frames_at
from manifests.reports.validate import validate
from training import encode_latents, train_diffusion, train_vae
from training.data.config import DataConfig
from training.data.selection import select_clips
from training.vae.samples import FramePairs

SMALL = ("train.steps=2", "train.batch=4", "train.micro_batch=2")


@pytest.fixture(scope="module")
def of_512(curated_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's clips at 512 pixels, and at 256 in `curated_sample`."""
    out = tmp_path_factory.mktemp("sizes") / "dataset"
    redecide(curated_sample, out, overrides=["crop.size_px=512"], render=True)
    return out


@pytest.mark.parametrize("size_px", [64, 66, 250, 510, 1022, 1024])
def test_every_size_that_the_settings_allow_is_written_and_read(size_px: int) -> None:
    assert CropSettings(size_px=size_px).size_px == size_px
    mp4 = encode_mp4([counted_picture(number, size_px, size_px) for number in (3, 9)], size_px)
    frames = frames_at(mp4, [0, 1], clip_px=size_px)
    assert frames.shape == (2, size_px, size_px, 3)
    assert [read_count(frame) for frame in frames] == [3, 9]
    with pytest.raises(MediaError, match=f"{size_px}x{size_px} px, not 256x256 as its dataset says"):
        frames_at(mp4, [0], clip_px=256)


@pytest.mark.slow
def test_a_dataset_of_512_pixels_is_valid_and_shows_the_same_at_twice_the_size(
    of_512: Path, curated_sample: Path
) -> None:
    assert validate(of_512) == []
    large, usual = (Dataset(dataset).clip(0) for dataset in (of_512, curated_sample))
    assert large.frames([0]).shape == (1, 512, 512, 3)
    assert np.allclose(large.landmarks(), 2 * usual.landmarks(), atol=1e-3)
    assert large.contact_sheet(every=25, n_columns=2).width == 2 * 512


@pytest.mark.slow
@pytest.mark.parametrize("image_px", [64, 256])
def test_training_sees_the_same_faces_and_landmarks_at_both_sizes(
    image_px: int, of_512: Path, curated_sample: Path
) -> None:
    large, usual = (
        FramePairs(select_clips(dataset, DataConfig()), image_px=image_px, seed=1).pair(0, 3, 40)
        for dataset in (of_512, curated_sample)
    )
    assert np.allclose(large.landmarks_K2, usual.landmarks_K2, atol=1e-3)
    difference = large.image_j_CHW.float() - usual.image_j_CHW.float()
    assert difference.abs().mean() < 3.0  # of 255: H.264 at two sizes


@pytest.mark.slow
def test_512_pixels_go_from_the_dataset_to_a_talking_video(of_512: Path, tmp_path: Path) -> None:
    vae, motion, out = tmp_path / "vae", tmp_path / "motion", tmp_path / "out.mp4"
    made = train_vae(of_512, vae, size="tiny", overrides=[*SMALL, "check_pairs=4"], device="cpu")
    assert made.steps_done == 2
    latents = encode_latents(of_512, vae, device="cpu")
    assert (latents.clips > 0, latents.damaged) == (True, 0)
    made = train_diffusion(of_512, vae, motion, size="tiny", overrides=[*SMALL, "check_clips=0"], device="cpu")
    assert made.steps_done == 2
    clip = Dataset(of_512).clip(0)
    Image.fromarray(clip.frames([0])[0]).save(tmp_path / "portrait.png")
    speech = clip.audio()
    assert speech is not None
    (tmp_path / "speech.flac").write_bytes(encode_flac(speech[:16_000]))
    video = talking_video(
        motion, portrait=tmp_path / "portrait.png", speech=tmp_path / "speech.flac", out=out, device="cpu"
    )
    assert video.n_frames == 25
    with av.open(str(out)) as opened:
        assert len(list(opened.decode(video=0))) == 25

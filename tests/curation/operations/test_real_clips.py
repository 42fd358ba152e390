"""The main job on real clips: what each of them yields stands in the README of the shared folder."""

from pathlib import Path

import numpy as np
import pytest

from curation.engine.execution import Executor
from curation.operations.run import RunReport, run
from curation.settings import CurationSettings
from manifests.files.media import read_audio, read_frames
from manifests.files.tables import read_table
from manifests.files.tar import MemberRange, read_member
from manifests.reports.validate import validate
from manifests.schema.arrow_arrays import numpy_of

pytestmark = pytest.mark.slow

DIFFUSION = {"WDA_KatieHill_000", "WDA_AlexandriaOcasioCortez_000", "latentsync_demo1", "lp_d20", "talkvid_10", "lp_d6"}
"""At least 3 s of frontal, calm speech."""
VAE_ONLY = {"lp_d13", "lp_d14"}
"""No sound, and music."""
NOTHING = {"dj_video1", "dj_video4"}
"""A cartoon, and two small faces."""


@pytest.fixture(scope="module")
def curated(shared_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunReport]:
    dataset = tmp_path_factory.mktemp("real") / "dataset"
    return dataset, run(str(shared_clips), dataset, CurationSettings(), Executor())


@pytest.fixture(scope="module")
def clips(curated: tuple[Path, RunReport]) -> list[dict[str, object]]:
    table = read_table(curated[0], "clips")
    rows = table.drop_columns(["landmarks", "blendshapes", "pose_deg", "speech_features"]).to_pylist()
    for name in ("landmarks", "blendshapes", "pose_deg", "speech_features"):
        for row, array in zip(rows, numpy_of(table[name]), strict=True):
            row[name] = array
    return [row | {"name": Path(str(row["path"])).stem} for row in rows]


def test_every_file_has_its_row_and_none_failed(curated: tuple[Path, RunReport], shared_clips: Path) -> None:
    records = curated[1].records
    assert [Path(record.path).name for record in records] == sorted(path.name for path in shared_clips.glob("*.mp4"))
    assert {record.status for record in records} == {"ok"}


def test_clips_of_speech_yield_diffusion_clips_and_the_others_none(clips: list[dict[str, object]]) -> None:
    assert {clip["name"] for clip in clips if clip["tier"] == "diffusion"} == DIFFUSION


def test_clips_without_speech_yield_vae_clips_only(clips: list[dict[str, object]]) -> None:
    for name in VAE_ONLY:
        assert {clip["tier"] for clip in clips if clip["name"] == name} == {"vae"}


def test_the_long_clip_is_diffusion_in_its_speech_and_vae_elsewhere(clips: list[dict[str, object]]) -> None:
    for clip in clips:
        if clip["name"] != "lp_d6":
            continue
        if clip["tier"] == "diffusion":  # it speaks from 1.6 to 4.8 s
            assert clip["start_s"] == pytest.approx(1.6, abs=0.3)
            assert clip["end_s"] == pytest.approx(4.8, abs=0.3)
        else:
            assert float(clip["start_s"]) > 4.5


def test_cartoon_and_small_faces_yield_nothing(clips: list[dict[str, object]]) -> None:
    assert not {clip["name"] for clip in clips} & NOTHING


def test_the_dataset_is_valid(curated: tuple[Path, RunReport]) -> None:
    assert [str(problem) for problem in validate(curated[0])] == []


def test_the_face_is_centred_and_takes_half_of_every_clip(clips: list[dict[str, object]]) -> None:
    for clip in clips:
        points = clip["landmarks"]
        low, high = points.min(axis=1), points.max(axis=1)  # (N, 2)
        centre, width = np.median((low + high) / 2, axis=0), np.median((high - low)[:, 0])
        np.testing.assert_allclose(centre, [128, 128], atol=1.5, err_msg=str(clip["name"]))
        assert width == pytest.approx(128, abs=2), clip["name"]


def test_a_rendered_frame_is_the_source_cropped_where_the_manifest_says(
    curated: tuple[Path, RunReport], clips: list[dict[str, object]]
) -> None:
    import av
    import cv2

    clip = next(clip for clip in clips if clip["name"] == "WDA_KatieHill_000")
    where = MemberRange(offset=int(clip["mp4_offset"]), size=int(clip["mp4_size"]))
    rendered = list(read_frames(read_member(curated[0], str(clip["media"]), where)).frames)
    with av.open(str(clip["path"])) as container:
        source = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    first = round(float(clip["start_s"]) * 25)
    x0, y0, size = int(clip["crop_x0"]), int(clip["crop_y0"]), int(clip["crop_size"])
    for number in (0, len(rendered) // 2, len(rendered) - 1):
        frame = source[first + number]
        rows = np.clip(np.arange(y0, y0 + size), 0, frame.shape[0] - 1)
        columns = np.clip(np.arange(x0, x0 + size), 0, frame.shape[1] - 1)
        here = cv2.resize(frame[rows[:, None], columns], (256, 256), interpolation=cv2.INTER_AREA).astype(float)
        got = rendered[number].astype(float)
        psnr = 10 * np.log10(255**2 / np.mean((got - here) ** 2))
        moved = 10 * np.log10(255**2 / np.mean((got[:, 1:] - here[:, :-1]) ** 2))
        assert psnr > 33
        assert psnr > moved + 3  # one pixel to the side is clearly worse


def test_speech_is_as_loud_as_asked_and_as_long_as_the_picture(
    curated: tuple[Path, RunReport], clips: list[dict[str, object]]
) -> None:
    for clip in clips:
        if clip["flac_offset"] is None:
            assert (clip["tier"], clip["speech_ratio"]) == ("vae", None)  # no audio stream
            continue
        where = MemberRange(offset=int(clip["flac_offset"]), size=int(clip["flac_size"]))
        samples, rate_hz = read_audio(read_member(curated[0], str(clip["media"]), where))
        assert rate_hz == 16000
        assert len(samples) == clip["n_frames"] * 640
        if clip["tier"] != "diffusion":
            continue
        assert clip["loudness_lufs_after"] == pytest.approx(-23.0, abs=0.5)
        assert clip["speech_features"].shape == (clip["n_frames"], 384)
        assert np.isfinite(clip["speech_features"]).all()


def test_the_sound_of_a_clip_is_that_of_the_source_at_the_same_time(
    curated: tuple[Path, RunReport], clips: list[dict[str, object]]
) -> None:
    import av

    for clip in clips:
        if clip["tier"] != "diffusion":
            continue
        with av.open(str(clip["path"])) as container:  # both streams of these files begin at 0
            resampler = av.AudioResampler("flt", "mono", 16000)
            blocks = [*container.decode(audio=0), None]
            source = np.concatenate([out.to_ndarray()[0] for block in blocks for out in resampler.resample(block)])
        where = MemberRange(offset=int(clip["flac_offset"]), size=int(clip["flac_size"]))
        samples, _ = read_audio(read_member(curated[0], str(clip["media"]), where))
        n = len(samples)
        there = source[round(float(clip["start_s"]) * 16000) :][:n]
        spectrum = np.fft.rfft(samples, 2 * n) * np.conj(np.fft.rfft(there, 2 * n))
        lag = int(np.argmax(np.fft.irfft(spectrum)))
        assert min(lag, 2 * n - lag) <= 8, (clip["name"], lag)  # half a millisecond, denoised and resampled

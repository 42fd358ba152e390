import json
import subprocess
import sys
from pathlib import Path

import cv2
import decord
import numpy as np
import pytest
import torch

from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.pose.three_ddfa import ThreeDdfaPose, camera_pose_deg
from curation.perception.pose.three_ddfa_network import (
    N_PARAMETERS,
    load_three_ddfa_network,
    three_ddfa_network,
)
from foundation.devices import resolve_device
from foundation.weights.asset import UnsafeAssetError

CPU = resolve_device("cpu")
PARITY_DEG = 0.05


@pytest.fixture(scope="module")
def mb05(shared_dir: Path) -> ThreeDdfaPose:
    models = shared_dir / "models"
    return ThreeDdfaPose("3ddfa_mb05", CPU, models / "mb05_120x120.pth", models / "param_mean_std_62d_120x120.pkl")


@pytest.fixture(scope="module")
def reference(shared_dir: Path) -> list[dict]:
    return json.loads((shared_dir / "reference" / "three_ddfa_pose.json").read_text())["rows"]


def pictures(clip: Path, wanted: list[int]) -> dict[int, np.ndarray]:
    """Frames by the decoder of the reference, whose numbers differ from others' where a file has an edit list."""
    video = decord.VideoReader(str(clip), num_threads=1)
    return {k: video[k].asnumpy() for k in wanted}


@pytest.mark.slow
def test_poses_are_those_of_the_reference_implementation(
    shared_clips: Path, mb05: ThreeDdfaPose, reference: list[dict]
) -> None:
    by_clip: dict[str, list[dict]] = {}
    for row in reference:
        by_clip.setdefault(row["clip"], []).append(row)
    between_pixels = []
    for clip, rows in by_clip.items():
        shown = pictures(shared_clips / f"{clip}.mp4", [row["frame"] for row in rows])
        for row in rows:
            yaw, pitch, roll = row["yaw_pitch_roll_deg"]
            # 3DDFA's own signs are the other way round.
            expected = [-pitch, -yaw, -roll]
            boxes = np.array([row["box"]], np.float32)
            found = mb05(mb05.crop(shown[row["frame"]], boxes))[0]
            if np.abs(found - expected).max() > PARITY_DEG:
                # The file gives boxes to 0.01 px: where an edge of the crop then lies between two pixels, try both.
                between_pixels.append((clip, row["frame"]))
                found = mb05(mb05.crop(shown[row["frame"]], boxes - np.array([[0.004, 0, 0.004, 0]], "f")))[0]
            np.testing.assert_allclose(found, expected, atol=PARITY_DEG, err_msg=f"{clip} {row['frame']}")
    assert len(reference) == 68
    assert between_pixels == [("latentsync_demo1", 164)]


def test_a_batch_gives_the_answers_that_its_faces_get_alone(
    shared_clips: Path, mb05: ThreeDdfaPose, reference: list[dict]
) -> None:
    rows = [row for row in reference if row["clip"] == "lp_s18"]
    shown = pictures(shared_clips / "lp_s18.mp4", [row["frame"] for row in rows])
    crops = np.concatenate([mb05.crop(shown[row["frame"]], np.array([row["box"]], np.float32)) for row in rows])
    alone = np.concatenate([mb05(crop[None]) for crop in crops])
    assert np.ptp(alone[:, 1]) > 5
    np.testing.assert_allclose(mb05(crops), alone, atol=0.01)


def test_no_face_gives_no_pose(mb05: ThreeDdfaPose) -> None:
    crops = mb05.crop(np.zeros((90, 120, 3), np.uint8), np.empty((0, 4), np.float32))
    assert crops.shape == (0, 120, 120, 3)
    assert mb05(crops).shape == (0, 3)


def test_a_box_without_area_is_refused(mb05: ThreeDdfaPose) -> None:
    with pytest.raises(ValueError, match="has no area"):
        mb05.crop(np.zeros((90, 120, 3), np.uint8), np.array([[5, 5, 5, 5]], np.float32))


def test_a_crop_is_black_beyond_the_frame(mb05: ThreeDdfaPose) -> None:
    frame = np.full((100, 100, 3), 200, np.uint8)
    # A box of 100 px: a crop of 158 px, 29 px beyond the frame to the left and right, 15 above, 43 below.
    crop = mb05.crop(frame, np.array([[0, 0, 100, 100]], np.float32))[0]
    inside = (crop > 100).all(axis=2)
    columns, rows = np.flatnonzero(inside[60]), np.flatnonzero(inside[:, 60])
    assert (columns[0] * 158 / 120, (columns[-1] + 1) * 158 / 120) == pytest.approx((29, 129), abs=1.4)
    assert (rows[0] * 158 / 120, (rows[-1] + 1) * 158 / 120) == pytest.approx((15, 115), abs=1.4)


def rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """The head nods up by pitch, then turns to the right border by yaw, then tilts clockwise by roll; degrees."""
    p, y, r = np.radians([-pitch, yaw, -roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


@pytest.mark.parametrize("pose", [(10.0, 0.0, 0.0), (0.0, 25.0, 0.0), (0.0, 0.0, 12.0), (-8.0, -35.0, 20.0)])
def test_a_camera_that_turns_a_head_gives_the_angles_of_that_turn(pose: tuple[float, float, float]) -> None:
    camera = np.hstack([4.5e-4 * rotation(*pose), [[60.0], [60.0], [-66.0]]])
    np.testing.assert_allclose(camera_pose_deg(camera), pose, atol=1e-4)


def test_beyond_gimbal_lock_the_yaw_is_a_right_angle_and_pitch_and_roll_are_one() -> None:
    camera = np.hstack([rotation(0.0, 89.0, 15.0), np.zeros((3, 1))])
    pitch, yaw, roll = camera_pose_deg(camera)
    assert (yaw, roll) == (90.0, 0.0)
    assert abs(pitch) == pytest.approx(15.0, abs=0.1)


def test_both_poses_turn_the_same_way_when_a_turned_head_is_mirrored_or_tilted(
    shared_dir: Path, mb05: ThreeDdfaPose
) -> None:
    finder = MediaPipeFaces(shared_dir / "models" / "face_landmarker.task")
    for clip, frame, side in (("lp_s18", 94, 1), ("3ddfa_obama", 52, 1), ("3ddfa_obama", 130, -1)):
        picture = pictures(shared_dir / "clips" / f"{clip}.mp4", [frame])[frame]
        face = finder(picture)[0]
        centre = ((face.box_px[:2] + face.box_px[2:]) / 2).tolist()
        # OpenCV's positive angles are counterclockwise as seen.
        tilted = cv2.warpAffine(picture, cv2.getRotationMatrix2D(centre, -15, 1), picture.shape[1::-1])
        straight, mirrored, turned = (
            _both(finder, mb05, shown) for shown in (picture, np.ascontiguousarray(picture[:, ::-1]), tilted)
        )
        for model in (0, 1):
            assert straight[model][1] * side > 10, (clip, model)
            np.testing.assert_allclose(mirrored[model], straight[model] * (1, -1, -1), atol=6)
            np.testing.assert_allclose(turned[model] - straight[model], (0, 0, 15), atol=6)


def _both(finder: MediaPipeFaces, pose: ThreeDdfaPose, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    face = finder(picture)[0]
    return face.pose_deg, pose(pose.crop(picture, face.box_px[None]))[0]


def test_weights_of_another_width_are_refused(shared_dir: Path) -> None:
    models = shared_dir / "models"
    with pytest.raises(RuntimeError, match="size mismatch"):
        ThreeDdfaPose("3ddfa_mb1", CPU, models / "mb05_120x120.pth", models / "param_mean_std_62d_120x120.pkl")


def test_a_checkpoint_that_needs_code_to_be_read_is_refused(shared_dir: Path, tmp_path: Path) -> None:
    program = tmp_path / "mb05_120x120.pth"
    torch.save({"state_dict": subprocess.Popen}, program)
    with pytest.raises(UnsafeAssetError, match="Popen"):
        ThreeDdfaPose("3ddfa_mb05", CPU, program, shared_dir / "models" / "param_mean_std_62d_120x120.pkl")


def test_mb1_runs_from_a_checkpoint_with_the_official_names(shared_dir: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = three_ddfa_network(1.0)
    official = {f"module.{name.replace('fc.', 'fc_param.')}": value for name, value in network.state_dict().items()}
    official["module.fc_lm.weight"] = torch.zeros(136, 1024)
    checkpoint = tmp_path / "mb1_120x120.pth"
    torch.save({"epoch": 1, "state_dict": official}, checkpoint)
    pose = ThreeDdfaPose("3ddfa_mb1", CPU, checkpoint, shared_dir / "models" / "param_mean_std_62d_120x120.pkl")
    assert np.isfinite(pose(np.zeros((3, 120, 120, 3), np.uint8))).all()


def test_the_network_of_width_1_has_the_size_that_the_paper_states() -> None:
    # MobileNet-V1 with 62 outputs: "3.27M" parameters in the repository's table.
    network = three_ddfa_network(1.0)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(3.27e6, rel=0.005)
    assert load_three_ddfa_network(network.state_dict(), 1.0)(torch.zeros(1, 3, 120, 120)).shape == (1, N_PARAMETERS)


def test_importing_the_pose_stays_light() -> None:
    code = "import sys, curation.perception.pose.three_ddfa;"
    code += "sys.exit(str({'torch', 'onnxruntime', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"

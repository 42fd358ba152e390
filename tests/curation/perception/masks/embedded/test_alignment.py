import numpy as np
import pytest

from curation.perception.masks.embedded.alignment import INPUT_SIDE_PX, align_faces

# A face whose outer eye corners are 100 px apart: the crop's side is 2.2 times that, its centre 55 px below the eyes.
UPRIGHT = np.array([[0, 35], [-50, 0], [-20, 0], [20, 0], [50, 0], [-25, 70], [25, 70], [0, 65], [0, 75]], np.float32)
BOX_HALF = np.array([70, 90], np.float32)


def _face(turn_deg: float, scale: float, centre: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture with a red disc between the eyes and a blue one at the mouth, its key points and its box."""
    angle = np.deg2rad(turn_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (UPRIGHT * scale) @ rotation.T + np.array(centre)
    y, x = np.mgrid[:600, :600] + 0.5
    frame = np.full((600, 600, 3), 40, np.uint8)
    for place, colour in (((points[2] + points[3]) / 2, (255, 0, 0)), ((points[5] + points[6]) / 2, (0, 0, 255))):
        frame[np.hypot(x - place[0], y - place[1]) < 10 * scale] = colour
    box = np.concatenate([np.array(centre) - BOX_HALF * scale, np.array(centre) + BOX_HALF * scale])
    return frame, points[None].astype(np.float32), box[None].astype(np.float32)


def _middle(aligned: np.ndarray, channel: int) -> np.ndarray:
    """Centre of the disc of this colour, with the first pixel's centre at 0.5."""
    rows, columns = np.nonzero((aligned[..., channel] > 150) & (aligned[..., 2 - channel] < 100))
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


@pytest.mark.parametrize("turn_deg", [0.0, 30.0, -75.0, 180.0])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
def test_eyes_and_mouth_lie_where_the_definition_puts_them_at_any_size_and_tilt(turn_deg: float, scale: float) -> None:
    frame, key_points, boxes = _face(turn_deg, scale, (300.0, 290.0))
    aligned = align_faces(frame, key_points, boxes)[0]
    px = INPUT_SIDE_PX / 220
    np.testing.assert_allclose(_middle(aligned, 0), [32, 32 - 55 * px], atol=0.3)
    np.testing.assert_allclose(_middle(aligned, 2), [32, 32 + 15 * px], atol=0.3)


def test_a_profile_whose_eyes_nearly_coincide_is_still_shown_whole() -> None:
    frame, key_points, boxes = _face(0.0, 1.0, (300.0, 290.0))
    key_points[0, 1:, 0] = 300 + (key_points[0, 1:, 0] - 300) * 0.01
    key_points[0, 5:7, 1] = 300
    aligned = align_faces(frame, key_points, boxes)[0]
    # Only the box is left to tell the size: 180 px, of which 0.45 is the scale.
    distance = _middle(aligned, 2)[1] - _middle(aligned, 0)[1]
    np.testing.assert_allclose(distance, 70 * INPUT_SIDE_PX / (2.2 * 0.45 * 180), atol=0.4)


def test_outside_the_frame_the_border_is_repeated() -> None:
    frame, key_points, boxes = _face(0.0, 1.0, (300.0, 290.0))
    aligned = align_faces(frame[:280], key_points, boxes)[0]
    assert (aligned[-10:] == 40).all()


@pytest.mark.parametrize(
    ("frame", "key_points", "boxes", "message"),
    [
        (np.zeros((8, 8), np.uint8), np.zeros((1, 9, 2)), np.zeros((1, 4)), "frame is uint8 of shape"),
        (np.zeros((8, 8, 3), np.float32), np.zeros((1, 9, 2)), np.zeros((1, 4)), "frame is float32"),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((1, 5, 2)), np.zeros((1, 4)), "give \\(F, 9, 2\\)"),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((2, 9, 2)), np.zeros((1, 4)), "give \\(F, 9, 2\\)"),
        (np.zeros((8, 8, 3), np.uint8), np.full((1, 9, 2), np.nan), np.zeros((1, 4)), "NaN"),
    ],
)
def test_wrong_input_is_refused_with_what_to_give(
    frame: np.ndarray, key_points: np.ndarray, boxes: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        align_faces(frame, key_points, boxes)

import itertools

import pytest
import torch
from torch import Tensor

from manifests.landmarks import landmark_scheme
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer

SIZE = 256


def _light(points_K2: Tensor, *, style: str = "dots", seen: list[int], image_px: int = SIZE) -> Tensor:
    """(3, H, W) in 0 to 1 of a face whose points are `points_K2`; only those in `seen` are valid."""
    renderer = LandmarkRenderer(LandmarkImageConfig(scheme="ibug68", style=style, image_px=image_px))
    valid_BK = torch.zeros(1, 68, dtype=torch.bool)
    valid_BK[0, seen] = True
    picture_3HW: Tensor = renderer(points_K2[None], valid_BK)[0]
    assert picture_3HW.shape == (3, image_px, image_px)
    return (picture_3HW + 1.0) / 2.0


def _point(x: float, y: float) -> Tensor:
    points_K2 = torch.full((68, 2), torch.nan)
    points_K2[0] = torch.tensor([x, y])
    return points_K2


def _centroid(light_HW: Tensor) -> Tensor:
    centres = torch.arange(light_HW.shape[0]) + 0.5
    return torch.stack([(light_HW.sum(0) * centres).sum(), (light_HW.sum(1) * centres).sum()]) / light_HW.sum()


def test_a_dot_has_the_light_of_its_distance_to_each_pixel() -> None:
    light_HW = _light(_point(10.5, 20.5), seen=[0])[0]  # the centre of column 10, row 20
    neighbours = {(20, 10): 1.0, (20, 11): 0.5, (19, 10): 0.5, (21, 11): 1.5 - 2**0.5, (20, 12): 0.0}
    assert {at: light_HW[at].item() for at in neighbours} == pytest.approx(neighbours, abs=1e-5)
    assert light_HW.sum().item() == pytest.approx(1.0 + 4 * 0.5 + 4 * (1.5 - 2**0.5), abs=1e-4)


def _steps(positions: list[Tensor]) -> tuple[float, float, float]:
    """Largest error of the centroid, largest change of mass and of any pixel between neighbours."""
    pictures = [_light(points_K2, seen=[0])[0] for points_K2 in positions]
    centroid_error = max(
        (_centroid(p) - points_K2[0]).norm().item() for p, points_K2 in zip(pictures, positions, strict=True)
    )
    pairs = list(itertools.pairwise(pictures))
    mass_step = max((b.sum() - a.sum()).abs().item() for a, b in pairs)
    return centroid_error, mass_step, max((b - a).abs().max().item() for a, b in pairs)


def test_a_dot_moves_smoothly_by_tenths_of_a_pixel() -> None:
    for step in ((0.1, 0.0), (0.0, 0.1), (0.08, 0.06)):
        positions = [_point(100.0 + n * step[0], 50.3 + n * step[1]) for n in range(60)]
        centroid_error, mass_step, pixel_step = _steps(positions)
        assert centroid_error < 0.06
        assert mass_step < 0.2  # of a mass of 3.2 to 3.5
        assert pixel_step < 0.1 + 1e-4  # light falls by 1 per pixel of distance, so never faster than the dot moves


def test_a_dot_at_whole_pixels_would_fail_that_test() -> None:
    positions = [_point(float(int(100.0 + n * 0.1)) + 0.5, 50.5) for n in range(30)]
    true_x = [100.0 + n * 0.1 for n in range(30)]
    error = max(abs(_centroid(_light(p, seen=[0])[0])[0].item() - x) for p, x in zip(positions, true_x, strict=True))
    assert error > 0.06
    assert _steps(positions)[2] > 0.2


def test_light_has_a_finite_gradient_in_the_points_that_says_where_they_should_move() -> None:
    renderer = LandmarkRenderer(LandmarkImageConfig(scheme="ibug68"))
    valid_BK = torch.zeros(1, 68, dtype=torch.bool)
    valid_BK[0, :2] = True
    points_BK2 = torch.full((1, 68, 2), torch.nan)
    points_BK2[0, 0] = torch.tensor([30.5, 30.5])  # exactly on a pixel's centre, where distance has a kink
    points_BK2[0, 1] = torch.tensor([60.2, 60.5])
    points_BK2.requires_grad_()
    picture_B3HW = renderer(points_BK2, valid_BK)
    picture_B3HW[0, 0, 60, 61].backward()  # the pixel right of the second point
    assert points_BK2.grad is not None
    assert points_BK2.grad[0, 1].tolist() == pytest.approx([2.0, 0.0], abs=1e-4)  # 2: from 0..1 to -1..1
    gradient = torch.autograd.grad(renderer(points_BK2, valid_BK).sum(), points_BK2)[0]
    assert gradient.isfinite().all()


@pytest.mark.parametrize("style", ["dots", "regions", "lines"])
def test_points_that_were_not_found_are_not_seen(style: str) -> None:
    points_K2 = torch.full((68, 2), 100.0)
    assert _light(points_K2, style=style, seen=[]).max() == 0.0
    points_K2[:] = torch.nan
    assert _light(points_K2, style=style, seen=list(range(68))).max() == 0.0
    assert _light(points_K2 + torch.inf, style=style, seen=list(range(68))).max() == 0.0


@pytest.mark.parametrize("style", ["dots", "regions", "lines"])
@pytest.mark.parametrize("where", [(-3.0, 100.0), (100.0, 259.0), (-1e30, 1e30), (300.0, -2.0)])
def test_points_outside_of_the_picture_leave_it_black(style: str, where: tuple[float, float]) -> None:
    assert _light(torch.tensor(where).expand(68, 2), style=style, seen=list(range(68))).max() == 0.0


def test_a_dot_on_the_border_is_cut_and_does_not_come_back_on_the_other_side() -> None:
    light_HW = _light(_point(0.0, 128.5), seen=[0])[0]
    assert light_HW[128, 0].item() == pytest.approx(1.0)
    assert light_HW[:, 2:].max() == 0.0


def test_where_dots_overlap_the_brighter_one_counts() -> None:
    points_K2 = torch.full((68, 2), torch.nan)
    points_K2[0], points_K2[1] = torch.tensor([50.5, 50.5]), torch.tensor([51.5, 50.5])
    light_HW = _light(points_K2, seen=[0, 1])[0]
    assert light_HW[50, 50:52].tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert light_HW.max() <= 1.0


def test_all_channels_are_equal_unless_regions_have_colours() -> None:
    points_K2 = torch.rand(68, 2, generator=torch.Generator().manual_seed(0)) * SIZE
    for style in ("dots", "lines"):
        light_3HW = _light(points_K2, style=style, seen=list(range(68)))
        assert torch.equal(light_3HW[0], light_3HW[1])
        assert torch.equal(light_3HW[0], light_3HW[2])
    scheme = landmark_scheme("ibug68")
    for indices, colour in ((scheme.outer_lips, [1, 0, 0]), (scheme.left_eye, [0, 0, 1]), ((30,), [1, 1, 1])):
        centres_K2 = torch.full((68, 2), 40.5)
        light_3HW = _light(centres_K2, style="regions", seen=[indices[0]])
        assert light_3HW[:, 40, 40].tolist() == pytest.approx(colour, abs=1e-5)


def test_a_line_has_the_light_of_its_distance_and_no_gaps() -> None:
    points_K2 = torch.full((68, 2), torch.nan)
    points_K2[0], points_K2[1] = torch.tensor([20.0, 20.0]), torch.tensor([110.0, 80.0])  # the first two of the jaw
    light_HW = _light(points_K2, style="lines", seen=[0, 1])[0]
    centres = torch.arange(SIZE) + 0.5
    pixels_HW2 = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
    along = points_K2[1] - points_K2[0]
    share_HW = (((pixels_HW2 - points_K2[0]) @ along) / along.square().sum()).clamp(0.0, 1.0)
    distance_HW = (pixels_HW2 - points_K2[0] - share_HW[..., None] * along).norm(dim=-1)
    assert torch.allclose(light_HW, (1.5 - distance_HW).clamp(0.0, 1.0), atol=1e-4)


def test_lines_close_round_the_eyes_and_stay_open_along_the_jaw() -> None:
    scheme = landmark_scheme("ibug68")
    points_K2 = torch.full((68, 2), torch.nan)
    for indices, between in ((scheme.right_eye, True), (scheme.jaw, False)):
        first, last = indices[0], indices[-1]
        points_K2[first], points_K2[last] = torch.tensor([50.5, 50.5]), torch.tensor([60.5, 50.5])
        assert (_light(points_K2, style="lines", seen=[first, last])[0, 50, 55] > 0.0) == between


def test_dots_shrink_with_the_picture() -> None:
    assert _light(_point(16.5, 16.5), seen=[0], image_px=128)[0].sum().item() == pytest.approx(1.0, abs=1e-4)
    large = _light(_point(16.5, 16.5), seen=[0], image_px=512)[0]
    assert large[16, 18].item() == pytest.approx(0.5, abs=1e-4)  # radius 2 there


def test_dense_schemes_are_drawn_and_a_wrong_number_of_points_is_refused() -> None:
    renderer = LandmarkRenderer(LandmarkImageConfig(scheme="mediapipe478"))
    points_BK2 = torch.rand(2, 478, 2) * SIZE
    assert renderer(points_BK2, torch.ones(2, 478, dtype=torch.bool)).shape == (2, 3, SIZE, SIZE)
    with pytest.raises(ValueError, match=r"'mediapipe478' needs \(B, 478, 2\)"):
        renderer(points_BK2[:, :68], torch.ones(2, 68, dtype=torch.bool))
    with pytest.raises(ValueError, match="known are"):
        LandmarkRenderer(LandmarkImageConfig(scheme="wood669"))


@pytest.mark.parametrize("style", ["dots", "regions", "lines"])
def test_the_renderer_traces_without_graph_breaks(style: str) -> None:
    renderer = LandmarkRenderer(LandmarkImageConfig(scheme="ibug68", style=style))
    points_BK2, valid_BK = torch.rand(1, 68, 2) * SIZE, torch.ones(1, 68, dtype=torch.bool)
    traced = torch.compile(renderer, fullgraph=True, backend="eager")
    assert torch.equal(traced(points_BK2, valid_BK), renderer(points_BK2, valid_BK))

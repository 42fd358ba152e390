from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.main_face import Rivals, main_track
from curation.decision.speaker_turns import SpeakerSettings
from curation.decision.tracks import TrackSettings, link_tracks
from curation.evidence.boxes import link_boxes
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, Faces
from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from curation.rules.silence import SilenceSettings
from curation.rules.still_face import StillFaceSettings

Make = Callable[..., Evidence]


def joined(first: Faces, second: Faces) -> Faces:
    """Two faces per tick, the first one's face first."""
    order = np.argsort(np.concatenate([first.tick, second.tick]), kind="stable")
    return Faces(
        **{
            name: None
            if getattr(first, name) is None
            else np.concatenate([getattr(first, name), getattr(second, name)])[order]
            for name in first.__dataclass_fields__
        }
    )


def linked(evidence: Evidence, cut: np.ndarray | None = None, bridge: int = 2, identity: str = "dlib") -> np.ndarray:
    cut = np.zeros(len(evidence), np.bool_) if cut is None else cut
    return link_tracks(evidence, cut, bridge, TrackSettings(), identity)


def chosen(evidence: Evidence, cut: np.ndarray | None = None) -> MainTrack:
    cut = np.zeros(len(evidence), np.bool_) if cut is None else cut
    return main_track(
        evidence,
        linked(evidence, cut),
        cut,
        bridge_ticks=2,
        still=StillFaceSettings(),
        rivals=Rivals(min_score=0.7, face_ratio=0.5),
        silence=SilenceSettings(),
        speaker=SpeakerSettings(),
    )


def cut_at(n: int, tick: int) -> np.ndarray:
    cut = np.zeros(n, np.bool_)
    cut[tick] = True
    return cut


def test_a_moving_face_stays_one_track(make_evidence: Make) -> None:
    boxes = np.array([[100 + 10 * k, 80, 300 + 10 * k, 280] for k in range(50)], np.float32)
    assert set(linked(make_evidence(50, boxes=boxes)).tolist()) == {0}


def test_a_face_elsewhere_begins_another_track(make_evidence: Make) -> None:
    boxes = np.array([[100, 80, 300, 280]] * 5 + [[500, 80, 700, 280]] * 5, np.float32)
    assert linked(make_evidence(10, boxes=boxes)).tolist() == [0] * 5 + [1] * 5


def test_a_track_survives_a_bridgeable_miss_and_no_longer_one(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (12, 1))
    boxes[3:5] = np.nan
    assert set(linked(make_evidence(12, boxes=boxes)).tolist()) == {0}
    boxes[3:6] = np.nan
    assert linked(make_evidence(12, boxes=boxes)).tolist() == [0] * 3 + [1] * 6


def test_a_track_ends_at_a_cut_even_where_the_boxes_overlap(make_evidence: Make) -> None:
    assert linked(make_evidence(6), cut_at(6, 4)).tolist() == [0] * 4 + [1] * 2


def test_two_faces_keep_their_tracks_when_their_order_swaps(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    ticks = np.arange(4)
    both = joined(make_faces(ticks, x0=0.0), make_faces(ticks, x0=400.0))
    swapped = both.tick.argsort(kind="stable")
    swapped[2:4] = swapped[2:4][::-1]  # on tick 1 the other comes first
    faces = Faces(
        **{n: None if getattr(both, n) is None else getattr(both, n)[swapped] for n in both.__dataclass_fields__}
    )
    assert linked(make_evidence(4, faces=faces)).tolist() == [0, 1, 1, 0, 0, 1, 0, 1]


def test_another_person_in_the_same_place_begins_a_track(make_evidence: Make) -> None:
    evidence = make_evidence(51)
    descriptor = evidence.faces.descriptor.copy()
    descriptor[50] = 0.3  # 0.2 away in each of 128 dimensions: a distance of 2.26
    box = evidence.faces.box_px.copy()
    box[40:] += 15.0  # the largest step between the two descriptors of ticks 25 and 50
    track = linked(make_evidence(51, faces=replace(evidence.faces, descriptor=descriptor, box_px=box)))
    assert track.tolist() == [0] * 40 + [1] * 11


def marks(evidence: Evidence, distances: list[float]) -> Faces:
    """Return the faces with one descriptor a second, each this far from the origin in a direction of its own.

    A number that stands twice is the same descriptor twice.
    """
    descriptor = np.full((len(evidence), 128), np.nan, np.float32)
    axes = {distance: axis for axis, distance in enumerate(dict.fromkeys(distances))}
    for place, distance in enumerate(distances):
        descriptor[25 * place] = 0.0
        descriptor[25 * place, axes[distance]] = distance
    return replace(evidence.faces, descriptor=descriptor)


def test_one_odd_descriptor_of_a_person_begins_no_track(make_evidence: Make) -> None:
    # at 0.45 along one axis and 0.41 along another: 0.609 apart, over the limit of 0.6; both near those of 0.1
    evidence = make_evidence(101)
    faces = marks(evidence, [0.1, 0.1, 0.45, 0.41, 0.1])
    assert np.unique(linked(make_evidence(101, faces=faces))).tolist() == [0]


def test_another_person_who_stays_begins_a_track_and_so_does_the_return(make_evidence: Make) -> None:
    evidence = make_evidence(126)
    stays = linked(make_evidence(126, faces=marks(evidence, [0.5, 0.5, 0.5, 0.6, 0.6, 0.6])))
    assert len(np.unique(stays)) == 2
    for_a_second = linked(make_evidence(126, faces=marks(evidence, [0.5, 0.5, 0.5, 0.6, 0.5, 0.5])))
    assert len(np.unique(for_a_second)) == 3


def test_the_main_face_is_that_of_the_widest_and_longest_track(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    faces = joined(make_faces(np.arange(2, 10), x0=0.0, width=150.0), make_faces(np.arange(3), x0=400.0, width=200.0))
    evidence = make_evidence(10, faces=faces)
    main = chosen(evidence)
    assert faces.width_px[main.face].tolist() == [200.0, 200.0] + [150.0] * 8
    assert np.flatnonzero(main.changes).tolist() == [2]
    np.testing.assert_allclose(main.rival_ratio, [0, 0, 200 / 150] + [0] * 7)


def test_a_face_that_the_detector_is_unsure_of_is_no_rival(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    ticks = np.arange(4)
    second = replace(make_faces(ticks, x0=400.0), score=np.array([0.69, 0.7, 0.9, 0.5], np.float32))
    evidence = make_evidence(4, faces=joined(make_faces(ticks, x0=0.0, width=210.0), second))
    main = chosen(evidence)
    np.testing.assert_allclose(main.rival_ratio, [0.0, 200 / 210, 200 / 210, 0.0])


def unmoving(faces: Faces) -> Faces:
    """The same faces, each with the key points of the first."""
    offset = faces.key_points_px - faces.box_px[:, None, :2]
    return replace(faces, key_points_px=offset[:1] + faces.box_px[:, None, :2])


def test_a_poster_is_not_the_main_face_and_for_long_no_rival(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    poster = unmoving(make_faces(np.arange(200), x0=0.0, width=400.0))
    for n, rival_ratio in ((149, 400 / 150), (150, 0.0)):  # 6 s
        still = make_faces(np.arange(n), x0=0.0, width=400.0)
        still = replace(still, key_points_px=poster.key_points_px[:n])
        evidence = make_evidence(n, faces=joined(still, make_faces(np.arange(n), x0=500.0, width=150.0)))
        main = chosen(evidence)
        assert set(evidence.faces.width_px[main.face].tolist()) == {150.0}
        np.testing.assert_allclose(main.rival_ratio, rival_ratio, rtol=1e-6)


def test_of_two_posters_the_larger_one_is_the_main_face_and_the_other_a_rival(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    large, small = (unmoving(make_faces(np.arange(60), x0=x0, width=w)) for x0, w in ((0.0, 300.0), (400.0, 240.0)))
    evidence = make_evidence(60, faces=joined(small, large))
    main = chosen(evidence)
    assert set(evidence.faces.width_px[main.face].tolist()) == {300.0}
    np.testing.assert_allclose(main.rival_ratio, 0.8)


def test_a_listener_who_moved_once_remains_a_rival(make_evidence: Make, make_faces: Callable[..., Faces]) -> None:
    listener = make_faces(np.arange(200), x0=500.0, width=190.0)
    key_points = listener.key_points_px.copy()
    key_points[60:] = key_points[60]
    evidence = make_evidence(
        200, faces=joined(make_faces(np.arange(200), x0=0.0), replace(listener, key_points_px=key_points))
    )
    main = chosen(evidence)
    np.testing.assert_allclose(main.rival_ratio, 190 / 200)


def test_a_change_of_the_main_face_at_a_cut_is_no_change_within_a_shot(make_evidence: Make) -> None:
    boxes = np.array([[100, 80, 300, 280]] * 5 + [[500, 80, 700, 280]] * 5, np.float32)
    evidence = make_evidence(10, boxes=boxes)
    cut = cut_at(10, 5)
    assert not chosen(evidence, cut).changes.any()


def test_misses_are_bridged_within_a_track_only(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (12, 1))
    boxes[[3, 4, 8]] = np.nan
    boxes[9:] += 500.0
    evidence = make_evidence(12, boxes=boxes)
    main = chosen(evidence)
    assert np.flatnonzero(main.bridged).tolist() == [3, 4]
    assert main.track_id[[3, 4]].tolist() == [0, 0]
    assert np.flatnonzero(main.changes).tolist() == [9]


def test_an_undecodable_tick_is_never_bridged(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (6, 1))
    boxes[3] = np.nan
    decoded = np.ones(6, np.bool_)
    decoded[3] = False
    evidence = replace(make_evidence(6, boxes=boxes), decoded=decoded)
    assert not chosen(evidence).bridged.any()


def test_a_video_without_a_face_has_no_main_face(make_evidence: Make) -> None:
    evidence = make_evidence(5, boxes=np.full((5, 4), np.nan, np.float32))
    main = chosen(evidence)
    assert (main.face == -1).all()
    assert not main.bridged.any()


@pytest.mark.parametrize(
    ("identity", "length", "distance", "n_tracks"),
    [("dlib", 128, 0.7, 2), ("arcface", 512, 0.7, 1), ("arcface", 512, 1.3, 2)],
)
def test_each_descriptor_has_a_limit_of_its_own(
    make_evidence: Make, identity: str, length: int, distance: float, n_tracks: int
) -> None:
    evidence = make_evidence(51)
    descriptor = np.full((51, length), np.nan, np.float32)
    descriptor[[0, 25, 50]] = 0.0
    descriptor[50, 0] = distance
    track = linked(make_evidence(51, faces=replace(evidence.faces, descriptor=descriptor)), identity=identity)
    assert len(np.unique(track)) == n_tracks


def test_the_limits_of_the_built_in_descriptors_are_settings() -> None:
    dlib, arcface = (IDENTITIES.card(name, IdentityCard) for name in ("dlib", "arcface"))
    settings = TrackSettings(max_descriptor_distance=0.5, max_arcface_distance=1.1)
    assert (settings.max_distance(dlib), settings.max_distance(arcface)) == (0.5, 1.1)
    assert (TrackSettings().max_distance(dlib), TrackSettings().max_distance(arcface)) == (0.6, 1.26)


def test_evidence_of_another_descriptor_is_refused(make_evidence: Make) -> None:
    with pytest.raises(ValueError, match=r"of 128 numbers, those of perception\.identity=arcface have 512"):
        linked(make_evidence(5), identity="arcface")


@pytest.mark.parametrize("seed", range(60))
def test_faces_are_linked_as_one_tick_at_a_time(make_faces: Callable[..., Faces], seed: int) -> None:
    rng = np.random.default_rng(seed)
    cut = rng.random(70) < 0.04
    counts = rng.choice([0, 1, 1, 1, 1, 1, 2], 70) if seed % 2 else rng.choice([0, 1, 1, 1, 1], 70)
    tick = np.repeat(np.arange(70), counts)
    x0 = 60.0 * rng.integers(0, 3, len(tick)) * (rng.random(len(tick)) < 0.2) + rng.normal(0.0, 5.0, len(tick))
    faces = make_faces(tick, width=100.0)
    boxes = faces.box_px.copy()
    boxes[:, [0, 2]] += x0[:, None].astype(np.float32)
    faces = replace(faces, box_px=boxes, descriptor=np.full((len(tick), 0), np.nan, np.float32))
    evidence = Evidence(
        decoded=np.ones(70, np.bool_),
        faces=faces,
        cut_score=np.zeros(70, np.float32),
        speech_prob=None,
        loudness_dbfs=None,
    )
    expected: list[int] = []
    last: dict[int, int] = {}  # by track, its last face
    shot = np.cumsum(cut)
    for now in np.unique(tick).tolist():
        here = np.flatnonzero(tick == now)
        open_tracks = [t for t, f in last.items() if now - tick[f] <= 3 and shot[tick[f]] == shot[now]]
        linked = link_boxes(boxes[here], boxes[[last[t] for t in open_tracks]], 0.3)
        for row, face in enumerate(here.tolist()):
            expected.append(open_tracks[linked[row]] if row in linked else max(expected, default=-1) + 1)
            last[expected[-1]] = face
        last = {t: f for t, f in last.items() if t in open_tracks or f in here}
    assert link_tracks(evidence, cut, 2, TrackSettings(), "dlib").tolist() == expected

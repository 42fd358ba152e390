"""What is counted at once against `decide` on each video, with evidence that fails every rule here and there."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import decide
from curation.decision.grid import UnmeasuredError
from curation.evidence.measures import GRID_TICKS, Evidence, Faces
from curation.rules.rule import MeasuredVideo, rule
from curation.settings import CurationSettings, load_settings
from curation.what_if import counting, prepared_batches
from curation.what_if.counting import counted
from manifests.vocabulary import TIERS

MakeFaces = Callable[..., Faces]
Make = Callable[..., Evidence]


def _flags(rng: np.random.Generator, n: int, share: float, length: int) -> np.ndarray:
    """Runs of about this length that make up about this share of the ticks."""
    starts = rng.random(n) < share / length
    return np.convolve(starts, np.ones(length), "full")[:n] > 0


def _spoilt(make: Make, make_faces: MakeFaces, seed: int, n: int) -> Evidence:
    """A talk in which all that rules look for happens somewhere."""
    rng = np.random.default_rng(seed)
    evidence = make(n, sound=seed % 5 != 4)
    faces = evidence.faces
    turn = np.convolve(rng.normal(0, 12, n), np.ones(25) / 5, "same") / 100
    points = faces.key_points_px.copy()
    points[:, 0, :] += np.stack([(150 if seed else 350) * turn, 90 * np.roll(turn, 9)], axis=1).astype(np.float32)
    points += np.where(_flags(rng, n, 0.015, 2), 30.0, 0.0)[:, None, None].astype(np.float32)
    points[:, 8, 1] = np.where(_flags(rng, n, 0.15, 60), points[0, 8, 1], points[:, 8, 1])
    scale = np.where(_flags(rng, n, 0.15, 60), 0.42, 1.0).astype(np.float32)
    box = faces.box_px * scale[:, None]
    faces = replace(
        faces,
        box_px=box,
        key_points_px=points * scale[:, None, None],
        mask_prob=np.where(_flags(rng, n, 0.06, 20), 0.8, rng.random(n) * 0.4).astype(np.float32),
        lip_aperture=np.where(_flags(rng, n, 0.15, 70), 0.03, faces.lip_aperture).astype(np.float32),
    )
    if seed % 3 == 1:
        scores = rng.normal(0.0, 0.2, (n, 31)).astype(np.float32)
        scores[:, 15] += np.where(_flags(rng, n, 0.5, 200), 0.5, 0.0)
        faces = replace(faces, sync_scores=scores)
    faces = _chosen(faces, ~_flags(rng, n, 0.03, 3))
    if seed % 2:
        faces = _with_another(faces, make_faces(np.flatnonzero(_flags(rng, n, 0.3, 12)), x0=320.0, width=110.0), seed)
    speech = np.where(_flags(rng, n, 0.3, 35), 0.2, 0.9).astype(np.float32)
    speech[:45] = speech[-45:] = 0.1  # a pause at either end has no margin there
    cut = np.where(rng.random(n) < 0.008, rng.choice([0.6, 0.95], n), 0.0).astype(np.float32)
    made = replace(
        evidence, faces=faces, cut_score=cut, speech_prob=speech if evidence.speech_prob is not None else None
    )
    return made if seed % 4 != 3 else _coarse(made)


def _chosen(faces: Faces, seen: np.ndarray) -> Faces:
    own = seen[faces.tick]
    columns = {name: getattr(faces, name) for name in Faces.__dataclass_fields__}
    return Faces(**{name: None if values is None else values[own] for name, values in columns.items()})


def _with_another(faces: Faces, other: Faces, seed: int) -> Faces:
    """Both faces, the wider of a tick first; of the other one, lips and sound were compared with nothing."""
    columns = {}
    tick = np.concatenate([faces.tick, other.tick])
    width = np.concatenate([faces.width_px, other.width_px])
    order = np.lexsort((-width, tick))
    for name in Faces.__dataclass_fields__:
        one, two = getattr(faces, name), getattr(other, name)
        if one is None:
            columns[name] = None
            continue
        two = np.full((len(other.tick), *one.shape[1:]), np.nan, one.dtype) if two is None else two
        columns[name] = np.concatenate([one, two])[order]
    rng = np.random.default_rng(seed)
    is_main = order < len(faces.tick)
    prob = np.where(is_main, 0.9, rng.choice([0.3, 0.85], len(tick))).astype(np.float32)
    prob[is_main & _flags(rng, len(tick), 0.15, 60)] = 0.2
    score = np.where(is_main, 1.0, np.where(tick[order] % 80 < 50, 0.9, 0.6)).astype(np.float32)
    return replace(Faces(**columns), speaking_prob=prob, score=score)


def _coarse(evidence: Evidence) -> Evidence:
    """Of the last third, where the face is small, only the grid ticks were searched, but for a margin."""
    n = len(evidence)
    grid = np.arange(n) % GRID_TICKS == 0
    far = np.arange(n) >= 2 * n // 3
    measured = ~far | grid | (np.arange(n) < 2 * n // 3 + 60)
    faces = _chosen(evidence.faces, measured)
    boxes = np.where(far[faces.tick][:, None], faces.box_px * np.float32(0.25), faces.box_px)
    return replace(evidence, faces=replace(faces, box_px=boxes), grid=grid, measured=measured)


def _decided(evidence: Evidence, settings: CurationSettings, own: Sequence[object] = ()) -> list[int] | None:
    """Ticks and clips by tier, as `decide` has them; None where it asks for what was not measured."""
    try:
        decision = decide(evidence, settings.rules, own, face_ratio=settings.crop.face_ratio, tiers=settings.tiers)
    except UnmeasuredError:
        return None
    kept = [
        sum(s.end_tick - s.first_tick for s in decision.spans if s.tier == tier and s.outcome == "kept")
        for tier in TIERS
    ]
    return kept + [sum(clip.tier == tier for clip in decision.clips) for tier in TIERS]


def _told(found: counting.Counted, place: int, number: int) -> list[int] | None:
    if found.unmeasured[place, number]:
        return None
    return [*found.ticks[place, number].tolist(), *found.clips[place, number].tolist()]


VARIED = {
    "rules.frontal.strict_deg": [5, 15, 35],
    "rules.frontal.loose_deg": [35, 45, 90],
    "rules.frontal.measure": ["a1", "roll_free"],
    "rules.frontal.smooth_ticks": [1, 45],
    "rules.small_face.strict_px": [80, 150],
    "rules.small_face.loose_px": [20, 90],
    "rules.small_face.window_s": [1, 5],
    "rules.jitter.strict_step": [0.04, 0.12],
    "rules.jitter.loose_step": [0.13, 0.4],
    "rules.jitter.steady_factor": [1, 4],
    "rules.jitter.min_steadiness": [0.1, 0.8],
    "rules.jitter.guard_ticks": [0, 10],
    "rules.mask.max_prob": [0.1, 0.9],
    "rules.mask.smooth_ticks": [1, 41],
    "rules.silence.max_pause_s": [0, 1, 2],
    "rules.silence.pad_s": [0, 1.2],
    "rules.silence.min_speech_prob": [0.1, 0.95],
    "rules.silence.min_lip_motion": [0, 0.02],
    "rules.silence.lip_window_s": [1, 6],
    "rules.still_face.min_motion": [0, 0.05],
    "rules.not_speaking.min_prob": [0, 0.8],
    "rules.several_faces.max_width_ratio": [0.2, 0.9],
    "rules.several_faces.min_ticks": [1, 9],
    "rules.several_faces.min_score": [0.1, 1.0],
    "rules.no_face.bridge_ticks": [0, 5],
    "rules.cut.min_score": [0.5, 0.9],
    "rules.tracks.min_overlap": [0.1, 0.9],
    "rules.generated.drop": ["nothing", "generated"],
    "rules.sync.drop": ["nothing", "not_in_sync", "all_but_in_sync"],
    "rules.sync.in_sync_z": [2, 5],
    "rules.too_short.min_s": [0.5, 1, 2],
    "rules.too_short.max_clip_s": [2, 4],
    "crop.face_ratio": [0.3, 0.9],
}


OUT_OF_REACH = {
    "crop.face_ratio", "rules.frontal.measure", "rules.jitter.steady_factor", "rules.silence.min_lip_motion",
    "rules.sync.in_sync_z", "rules.tracks.min_overlap",
}  # fmt: skip
"""Settings of which the values above make no difference to the made videos."""

SHORT = {
    "rules.too_short.min_s": 1,
    "rules.too_short.max_clip_s": 4,
    "rules.sync.min_ticks": 15,
    "rules.sync.sure_ticks": 30,
    "rules.sync.long_ticks": 50,
    "rules.sync.not_in_sync_z": 1.5,
    "rules.sync.long_not_in_sync_z": 2,
}
"""The made videos are short, and so are their clips."""

QUICKLY = (
    "rules.generated.drop",
    "rules.frontal.loose_deg",
    "rules.jitter.strict_step",
    "rules.silence.pad_s",
    "rules.too_short.min_s",
)


@pytest.fixture
def videos(make_evidence: Make, make_faces: MakeFaces) -> list[Evidence]:
    made = [_spoilt(make_evidence, make_faces, seed, n) for seed, n in ((0, 350), (1, 400), (7, 375), (8, 300))]
    return [replace(made[0], generated_tags=("gaia_avatar",)), replace(made[1], generated_tags=()), *made[2:]]


def _compare(videos: list[Evidence], tiers: list[str], names: Sequence[str]) -> set[str]:
    """Hold what is counted against `decide`, and return the settings that made no difference."""
    base = load_settings("embedded", overrides={"tiers": tiers, **SHORT})
    equal = set()
    for name in names:
        settings = [load_settings(base, overrides={name: value}) for value in VARIED[name]]
        found = counted(((str(k), video) for k, video in enumerate(videos)), len(videos), settings)
        expected = [[_decided(video, one) for video in videos] for one in settings]
        assert [[_told(found, c, v) for v in range(len(videos))] for c in range(len(settings))] == expected, name
        equal |= {name} if all(one == expected[0] for one in expected) else set()
    return equal


@pytest.mark.parametrize("tiers", [["diffusion", "vae"], ["diffusion"]], ids="+".join)
def test_each_value_keeps_what_decide_keeps(videos: list[Evidence], tiers: list[str]) -> None:
    assert _compare(videos, tiers, QUICKLY) <= ({"rules.frontal.loose_deg"} if tiers == ["diffusion"] else set())


@pytest.mark.slow
def test_each_value_of_every_setting_keeps_what_decide_keeps(videos: list[Evidence]) -> None:
    assert _compare(videos, ["diffusion", "vae"], list(VARIED)) <= OUT_OF_REACH


def test_a_video_is_prepared_anew_only_where_values_choose_other_faces_or_ticks(videos: list[Evidence]) -> None:
    def times(name: str) -> list[int]:
        settings = [
            load_settings("embedded", overrides={name: value, "rules.too_short.min_s": 1}) for value in VARIED[name]
        ]
        found = counted(((str(k), video) for k, video in enumerate(videos)), len(videos), settings)
        return found.times_prepared.tolist()

    assert times("rules.frontal.strict_deg") == times("rules.sync.drop") == [1, 1, 1, 1]
    assert times("rules.still_face.min_motion") == [1, 2, 2, 1]  # the two in the middle show a second face
    assert times("rules.no_face.bridge_ticks") == [2, 2, 2, 2]


def test_a_value_that_asks_for_what_was_not_measured_counts_nothing_and_says_so(videos: list[Evidence]) -> None:
    settings = [load_settings("embedded", overrides={"rules.small_face.loose_px": px, **SHORT}) for px in (75, 20)]
    found = counted([("coarse", videos[2])], 1, settings)
    assert found.unmeasured.tolist() == [[False], [True]]
    assert found.ticks[1].tolist() == [[0, 0]]
    assert found.ticks[0].sum() > 0


def test_batches_of_any_size_count_the_same(videos: list[Evidence], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [load_settings("embedded", overrides={"rules.frontal.strict_deg": deg}) for deg in (5, 35)]
    many = counted(((str(k), video) for k, video in enumerate(videos)), len(videos), settings)
    monkeypatch.setattr(prepared_batches, "_BATCH_TICKS", 1)
    single = counted(((str(k), video) for k, video in enumerate(videos)), len(videos), settings)
    assert (many.ticks == single.ticks).all()
    assert (many.clips == single.clips).all()


def test_rules_of_the_users_own_are_applied(videos: list[Evidence]) -> None:
    @rule(words="probability of a cover", at_most={"vae": 0.3})
    def covered(video: MeasuredVideo) -> np.ndarray:
        return video.face.mask_prob

    @rule(words="tick of the second", at_least=0.5, boundary=True)
    def new_second(video: MeasuredVideo) -> np.ndarray:
        return np.arange(len(video)) % 45 / 45

    settings = [
        load_settings("embedded", overrides={"rules.too_short.min_s": s, "rules.silence.pad_s": 0}) for s in (0.1, 0.5)
    ]
    own = [covered, new_second]
    found = counted(((str(k), video) for k, video in enumerate(videos)), len(videos), settings, own)
    assert [[_told(found, c, v) for v in range(4)] for c in range(2)] == [
        [_decided(video, one, own) for video in videos] for one in settings
    ]

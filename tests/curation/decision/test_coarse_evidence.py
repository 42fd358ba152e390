"""Evidence of grid ticks and cores alone is decided as that of every tick, whatever a video shows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import RulesSettings, decide
from curation.decision.grid import UnmeasuredError, cores_of, margin_ticks, unmeasured_ticks
from curation.decision.possible_speakers import possible_speakers
from curation.engine.sound_first import looked_at
from curation.evidence.joining import chosen_faces
from curation.evidence.measures import GRID_TICKS, AudioEvidence, Evidence, Faces
from curation.rules.runs import true_runs
from curation.settings import CurationSettings, load_settings
from manifests.vocabulary import TIERS, Tier

Make = Callable[..., Evidence]
MakeFaces = Callable[..., Faces]
RULES = RulesSettings()
ONLY: tuple[Tier, ...] = ("diffusion",)
N = 900
KINDS = ("good", "good", "good", "none", "small", "turned", "two", "masked", "far")


class Film:
    """A video made at random: stretches of one kind each, spoilt on single ticks, with cuts, gaps and trims."""

    def __init__(self, seed: int, make_evidence: Make, make_faces: MakeFaces) -> None:
        self.rng = np.random.default_rng(seed)
        kind = np.repeat(self.rng.choice(KINDS, N), self.rng.choice([7, 40, 130, 200], N))[:N]
        flicker = self.rng.random(N) < 0.006
        kind[flicker] = self.rng.choice(KINDS, flicker.sum())
        self.lost = self.rng.random(N) < 0.002
        self.trimmed = np.zeros(N, np.bool_)
        if seed % 3 == 0:
            self.trimmed[:30] = self.trimmed[400:437] = True
        faces = self._faces(kind, make_faces)
        seen = ~(self.lost | self.trimmed)[faces.tick]
        prob = np.repeat(self.rng.choice([0.1, 0.9, 0.9], N), self.rng.integers(10, 200, N))[:N]
        whole = make_evidence(N, faces=chosen_faces(faces, seen))
        self.evidence = replace(
            whole,
            decoded=~self.lost & ~self.trimmed,
            cut_score=np.where(self.trimmed, np.nan, self.rng.random(N) < 0.003).astype(np.float32),
            speech_prob=np.where(self.trimmed, np.nan, prob).astype(np.float32),
            trimmed=self.trimmed if self.trimmed.any() else None,
            grid=self._grid(),
            measured=~self.trimmed,
        )

    def _faces(self, kind: np.ndarray, make_faces: MakeFaces) -> Faces:
        """A speaker at every place that his kind names, and beside him another person in stretches of two."""
        seen = np.flatnonzero(kind != "none")
        speaker = self._moved(make_faces(seen), kind[seen])
        beside = np.flatnonzero(kind == "two")
        other = self._moved(make_faces(beside, x0=330.0, width=170.0), kind[beside])
        order = np.argsort(np.concatenate([speaker.tick * 2, other.tick * 2 + 1]), kind="stable")
        columns = {
            name: np.concatenate([getattr(speaker, name), getattr(other, name)])[order]
            for name in Faces.__dataclass_fields__
            if getattr(speaker, name) is not None
        }
        return replace(speaker, **columns)

    def _moved(self, faces: Faces, kind: np.ndarray) -> Faces:
        box, points, n = faces.box_px.copy(), faces.key_points_px.copy(), len(faces)
        scale = np.select([kind == "small", kind == "far"], [0.2, 0.45], 1.0).astype(np.float32)
        points = box[:, None, :2] + (points - box[:, None, :2]) * scale[:, None, None]
        box[:, 2:] = box[:, :2] + (box[:, 2:] - box[:, :2]) * scale[:, None]
        points[kind == "turned", 0, 0] += 0.25 * (box[:, 2] - box[:, 0])[kind == "turned"]
        shift = np.where(self.rng.random(n) < 0.001, 60.0, 0.0).astype(np.float32)
        noise = self.rng.normal(0, np.where(kind == "two", 4.0, 0.4)[:, None, None], points.shape)
        measured = faces.tick % 5 == 0
        person = np.where(self.rng.random(n) < 0.05, 0.9, 0.1)[:, None]
        return replace(
            faces,
            box_px=box + shift[:, None],
            key_points_px=(points + shift[:, None, None] + noise).astype(np.float32),
            mask_prob=np.where(kind == "masked", 0.95, 0.05).astype(np.float32),
            mask_measured=measured,
            descriptor=np.where((faces.tick % 25 == 0)[:, None], person, np.nan).repeat(128, 1).astype(np.float32),
        )

    def _grid(self) -> np.ndarray:
        """Mark one tick in most groups, as a rule the first."""
        grid = np.zeros(N, np.bool_)
        for first in range(0, N, GRID_TICKS):
            own = first + np.flatnonzero(~self.trimmed[first : first + GRID_TICKS])
            if len(own) and self.rng.random() < 0.97:
                grid[own[0] if self.rng.random() < 0.8 else self.rng.choice(own)] = True
        return grid


def seen(whole: Evidence, tiers: tuple[Tier, ...], seam: int) -> Evidence:
    """Return evidence without what is not measured where only these tiers are asked for, by a run in two windows."""
    n = len(whole)
    trimmed = np.zeros(n, np.bool_) if whole.trimmed is None else whole.trimmed
    settings = load_settings(CurationSettings(), None, [f"tiers=[{','.join(tiers)}]"])
    sound = AudioEvidence(speech_prob=whole.speech_prob[~trimmed], loudness_dbfs=None)
    looks = np.zeros(n, np.bool_)
    for first, end in looked_at(sound, true_runs(~trimmed), n, settings):
        looks[first:end] = True
    measured, grid = cores_of(whole, RULES, tiers, 0.5)[1].copy(), whole.grid & looks
    measured[max(0, seam - 60) : seam + 60] = True  # beside a seam more is measured than is needed
    measured &= looks
    faces, alone = whole.faces, ~measured[whole.faces.tick]
    faces = replace(
        faces,
        mask_prob=np.where(alone, np.float32(np.nan), faces.mask_prob),
        mask_measured=faces.mask_measured & ~alone,
        descriptor=np.where(alone[:, None], np.float32(np.nan), faces.descriptor),
    )
    return replace(
        whole,
        faces=chosen_faces(faces, (measured | grid)[faces.tick]),
        grid=grid,
        measured=measured,
        decoded=whole.decoded | ~(looks | trimmed),
        cut_score=np.where(looks | trimmed, whole.cut_score, np.float32(0)),
    )


@pytest.mark.parametrize("tiers", [TIERS, ONLY, ("vae",)])
def test_clips_and_spans_are_those_of_evidence_of_every_tick(
    tiers: tuple[Tier, ...], make_evidence: Make, make_faces: MakeFaces
) -> None:
    n_clips, shares, reasons = 0, [], set[str]()
    for seed in range(8):
        film = Film(seed, make_evidence, make_faces)
        coarse = seen(film.evidence, tiers, int(film.rng.integers(N)))
        full, part = (decide(one, RULES, tiers=tiers) for one in (film.evidence, coarse))
        assert part.clips == full.clips, seed
        assert part.spans == full.spans, seed
        speakers = [possible_speakers(one, RULES, tiers=tiers) for one in (film.evidence, coarse)]
        ranges = [[(one.first_tick, one.end_tick, one.track_id) for one in found] for found in speakers]
        assert ranges[0] == ranges[1]
        n_clips += len(full.clips)
        shares.append(coarse.measured[~film.trimmed].mean())
        reasons |= {span.outcome for span in full.spans if span.on_grid}
    assert n_clips >= 4
    assert 0.2 < np.mean(shares) < 0.9
    assert {"no_face", "small_face", "frontal", "too_short"} <= reasons


def test_where_only_the_sound_counts_nothing_is_told_of_what_pictures_show(
    make_evidence: Make, make_faces: MakeFaces
) -> None:
    """Nobody speaks in the first range; the second one begins less than a margin after it, and speech soon after."""
    film = Film(0, make_evidence, make_faces)
    kind = np.full(N, "two")
    faces = film._faces(kind, make_faces)
    trimmed = (np.arange(N) >= 400) & (np.arange(N) < 437)
    gone = trimmed | (np.arange(N) == 150) | ((np.arange(N) >= 380) & (np.arange(N) < 400))
    prob = np.where((np.arange(N) >= 470) & (np.arange(N) < 600), 0.9, 0.1)
    whole = replace(
        make_evidence(N, faces=chosen_faces(faces, ~gone[faces.tick])),
        decoded=~trimmed & (np.arange(N) != 150),
        cut_score=np.where(trimmed, np.nan, np.arange(N) == 100).astype(np.float32),
        speech_prob=np.where(trimmed, np.nan, prob).astype(np.float32),
        trimmed=trimmed,
        grid=(np.arange(N) % GRID_TICKS == 0) & ~trimmed,
        measured=~trimmed,
    )
    full, part = (decide(one, RULES, tiers=ONLY) for one in (whole, seen(whole, ONLY, 700)))
    assert part.spans == full.spans
    told = [(one.first_tick, one.end_tick, one.outcome) for one in full.spans if one.tier == "diffusion"]
    # three ticks beside a range that was not chosen may be the pad of speech in it
    assert told[:3] == [(0, 397, "silence"), (397, 400, "too_short"), (400, 437, "trimmed")]
    assert "several_faces" in {outcome for _, _, outcome in told}


@pytest.mark.parametrize("tiers", [TIERS, ONLY])
def test_no_clip_is_lost_where_nothing_changes_from_one_grid_tick_to_the_next_alone(
    tiers: tuple[Tier, ...], make_evidence: Make, make_faces: MakeFaces
) -> None:
    """One person: what the barriers leave out is what the rules drop, for a face is too small or away for 3 s."""
    kept = barred = 0
    for seed in range(8):
        film = Film(seed, make_evidence, make_faces)
        kind = np.repeat(film.rng.choice(["good", "none", "small", "turned"], N, p=[0.7, 0.1, 0.1, 0.1]), 130)[:N]
        for tick in film.rng.choice(np.arange(8, N, 20), 4):  # moments that no two grid ticks show
            kind[tick : tick + film.rng.integers(1, 4)] = "none"
        seen = np.flatnonzero((kind != "none") & ~film.trimmed)
        faces = film._moved(make_faces(seen), kind[seen])
        evidence = replace(film.evidence, faces=faces, decoded=~film.trimmed)
        on_grid = decide(evidence, RULES, tiers=tiers)
        throughout = decide(replace(evidence, grid=None, measured=None), RULES, tiers=tiers)
        assert on_grid.clips == throughout.clips, seed
        kept += sum(clip.n_ticks for clip in on_grid.clips)
        barred += sum(span.end_tick - span.first_tick for span in on_grid.spans if span.on_grid)
    assert min(kept, barred) > 1000


def test_ticks_that_could_hold_a_clip_and_were_not_measured_are_counted_and_refused(make_evidence: Make) -> None:
    """From tick 200 on the face has 70 px, so that a limit of 75 px leaves out what one of 50 px does not."""
    boxes = np.tile(np.array([100.0, 80.0, 300.0, 280.0], np.float32), (500, 1))
    boxes[200:, 2:] = (163.0, 143.0)
    grid = np.arange(500) % GRID_TICKS == 0
    whole = replace(make_evidence(500, boxes=boxes), grid=grid, measured=np.ones(500, np.bool_))
    margin = margin_ticks(RULES)
    measured = np.arange(500) < 200 + margin
    assert cores_of(whole, RULES, TIERS, 0.5)[1].tolist() == measured.tolist()
    coarse = replace(whole, measured=measured, faces=chosen_faces(whole.faces, (measured | grid)[whole.faces.tick]))
    assert decide(coarse, RULES).spans == decide(whole, RULES).spans
    assert unmeasured_ticks(coarse, RULES, TIERS, 0.5) == 0
    loose = RulesSettings.model_validate({"small_face": {"loose_px": 50.0}})
    assert unmeasured_ticks(whole, loose, TIERS, 0.5) == 0
    assert unmeasured_ticks(coarse, loose, TIERS, 0.5) == 300 - margin
    with pytest.raises(UnmeasuredError, match=f"^{(300 - margin) / 25:.1f} s that could hold a clip under these"):
        decide(coarse, loose)
    unknown = replace(whole, grid=None, measured=None)  # of an earlier version: everything was measured
    assert unmeasured_ticks(unknown, loose, TIERS, 0.5) == 0

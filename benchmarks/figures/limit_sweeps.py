"""Seconds that other limits of the rules would drop and keep, and their tables on a page."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks.figures.curated_videos import TICK_HZ, WIDE_PX, Video, signed_deviation_deg
from curation.decision.decide import RulesSettings, decide
from curation.rules.frontal import deviation_deg, frontal
from curation.rules.jitter import jitter, steady
from curation.rules.silence import lips_at_rest, silence
from curation.rules.small_face import small_face, width_in_clip_px
from curation.rules.smoothing import running_median
from foundation.array_types import BoolArray
from manifests.vocabulary import OUTCOMES, TIERS, Tier

SWEEPS = {
    "frontal": (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0),
    "jitter": (0.05, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.4),
    "silence": (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0),
    "small_face": (60.0, 75.0, 80.0, 100.0, 112.0, 128.0, 144.0, 160.0, 180.0, 200.0),
}
SETTINGS_OF = {
    "frontal": ("strict_deg", "loose_deg"),
    "jitter": ("strict_step", "loose_step"),
    "small_face": ("strict_px", "loose_px"),
}

Rows = list[dict[str, float]]


def failing(rule: str, limit: float, video: Video, rules: RulesSettings) -> BoolArray:
    """Return (T,) ticks that fail a rule under a limit, regardless of the other rules; none without a measurement."""
    face = video.decision.face
    if rule == "frontal":
        deviation = deviation_deg(face.key_points_px, rules.frontal.measure)
        return frontal(running_median(deviation, rules.frontal.smooth_ticks, video.breaks), limit).failed
    if rule == "jitter":
        is_steady = steady(video.motion, limit, rules.jitter.min_steadiness)
        return jitter(video.step, is_steady, video.breaks, limit, rules.jitter).failed
    if rule == "small_face":
        return small_face(width_in_clip_px(face.width_px, video.breaks, rules.small_face), limit).failed
    prob, n_ticks = video.evidence.speech_prob, len(video.evidence)
    if prob is None:
        return np.zeros(n_ticks, dtype=np.bool_)
    settings = rules.silence.model_copy(update={"max_pause_s": limit})
    return silence(prob, lips_at_rest(face.lip_aperture, video.breaks, settings), settings).failed


def with_limit(rules: RulesSettings, rule: str, tier: Tier, limit: float) -> RulesSettings:
    """Return rules with another limit in one tier; the other tier's limit follows where the two would contradict."""
    section = getattr(rules, rule)
    if rule == "silence":
        return rules.model_copy(update={rule: section.model_copy(update={"max_pause_s": limit})})
    strict, loose = SETTINGS_OF[rule]
    looser: Callable[[float, float], float] = min if rule == "small_face" else max
    stricter: Callable[[float, float], float] = max if rule == "small_face" else min
    limits = (
        {strict: limit, loose: looser(limit, getattr(section, loose))}
        if tier == "diffusion"
        else {strict: stricter(limit, getattr(section, strict)), loose: limit}
    )
    return rules.model_copy(update={rule: section.model_copy(update=limits)})


def kept_s(videos: Sequence[Video], rules: RulesSettings, tier: Tier) -> float:
    """Return the seconds that are kept in a tier."""
    spans = [span for video in videos for span in decide(video.evidence, rules, identity=video.identity).spans]
    kept = [span.end_tick - span.first_tick for span in spans if span.tier == tier and span.outcome == "kept"]
    return round(sum(kept) / TICK_HZ, 2)


def sweep(rule: str, videos: Sequence[Video], rules: RulesSettings) -> Rows:
    """Return the seconds that each limit of a rule drops and keeps."""
    rows = []
    for limit in SWEEPS[rule]:
        failed = sum(int(failing(rule, limit, video, rules).sum()) for video in videos)
        row = {"limit": limit, "fails_s": round(failed / TICK_HZ, 2)}
        row["kept_diffusion_s"] = kept_s(videos, with_limit(rules, rule, "diffusion", limit), "diffusion")
        if rule != "silence":
            row["kept_vae_s"] = kept_s(videos, with_limit(rules, rule, "vae", limit), "vae")
        rows.append(row)
    return rows


def frontal_fit(videos: Sequence[Video]) -> dict[str, float]:
    """Return the least-squares fit of the signed deviation: degrees per degree of yaw and of roll, and the residual."""
    chosen = [v for v in videos if np.nanmedian(v.decision.face.width_px) >= WIDE_PX]
    y = np.concatenate([signed_deviation_deg(video) for video in chosen])
    pose = np.concatenate([video.decision.face.pose_deg for video in chosen]).astype(np.float64)
    ok = ~np.isnan(y) & ~np.isnan(pose).any(axis=1)
    columns = np.stack([pose[ok, 1], pose[ok, 2], np.ones(int(ok.sum()))], axis=1)
    fit = np.linalg.lstsq(columns, y[ok], rcond=None)[0]
    rest = y[ok] - columns @ fit
    return {
        "per_yaw": round(float(fit[0]), 2),
        "per_roll": round(float(fit[1]), 2),
        "constant_deg": round(float(fit[2]), 2),
        "r2": round(1.0 - float(rest.var() / y[ok].var()), 3),
        "rest_p95_deg": round(float(np.quantile(np.abs(rest), 0.95)), 1),
        "ticks": int(ok.sum()),
    }


def decided(videos: Sequence[Video]) -> dict[str, dict[str, float]]:
    """Return the seconds of every outcome, per tier."""
    found: dict[str, dict[str, int]] = {tier: dict.fromkeys(OUTCOMES, 0) for tier in TIERS}
    for video in videos:
        for span in video.decision.spans:
            found[span.tier][span.outcome] += span.end_tick - span.first_tick
    return {tier: {name: round(n / TICK_HZ, 2) for name, n in of.items()} for tier, of in found.items()}


def with_figures(page: str, outcomes: Mapping[str, Mapping[str, float]], sweeps: Mapping[str, Rows]) -> str:
    """Return the text of a page with new tables between its marks `<!-- figures NAME begins -->`."""
    tables = {rule: _sweep_table(rows) for rule, rows in sweeps.items()} | {"outcomes": _outcome_table(outcomes)}
    for name, table in tables.items():
        begin, end = f"<!-- figures {name} begins -->\n", f"<!-- figures {name} ends -->"
        page, n = re.subn(f"{begin}.*?{end}", partial(_constant, f"{begin}{table}{end}"), page, flags=re.DOTALL)
        if n != 1:
            raise SystemExit(f"the page has {n} places for the figures {name!r}; it needs one")
    return page


def _constant(text: str, _: re.Match[str]) -> str:
    return text


def _sweep_table(rows: Rows) -> str:
    titles = {"limit": "limit", "fails_s": "fail it, s", "kept_diffusion_s": "kept in `diffusion`, s"}
    if "kept_vae_s" in rows[0]:
        titles["kept_vae_s"] = "kept in `vae`, s"
    lines = [[f"{row[name]:g}" if name == "limit" else f"{row[name]:.1f}" for name in titles] for row in rows]
    return _table(list(titles.values()), lines)


def _outcome_table(outcomes: Mapping[str, Mapping[str, float]]) -> str:
    lines = [[f"`{name}`", *(f"{outcomes[tier][name]:.1f}" for tier in TIERS)] for name in OUTCOMES]
    return _table(
        ["outcome", *(f"`{tier}`, s" for tier in TIERS)], [line for line in lines if line[1:] != ["0.0", "0.0"]]
    )


def _table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in [titles, ["---"] * len(titles), *lines])

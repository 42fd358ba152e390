"""Criteria: the limits that a curator reviews, each one limit of one rule in one tier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.settings import CurationSettings
from foundation.settings import setting_leaves, settings_of
from manifests.rule_record import RuleRecord
from manifests.vocabulary import Tier

__all__ = ["Criterion", "criteria_of"]

_SETTINGS: Mapping[str, Mapping[Tier, str]] = {
    "generated": {},  # it has no limit to choose
    "no_face": {"vae": "rules.no_face.bridge_ticks"},
    "several_faces": {"vae": "rules.several_faces.max_width_ratio"},
    "small_face": {"diffusion": "rules.small_face.strict_px", "vae": "rules.small_face.loose_px"},
    "cut": {"vae": "rules.cut.min_score"},
    "frontal": {"diffusion": "rules.frontal.strict_deg", "vae": "rules.frontal.loose_deg"},
    "jitter": {"diffusion": "rules.jitter.strict_step", "vae": "rules.jitter.loose_step"},
    "mask": {"vae": "rules.mask.max_prob"},
    "silence": {"diffusion": "rules.silence.max_pause_s"},
    "still_face": {"diffusion": "rules.still_face.min_motion"},
    "not_speaking": {"diffusion": "rules.not_speaking.min_prob"},
    "sync": {"diffusion": "rules.sync.not_in_sync_z"},
    "too_short": {"vae": "rules.too_short.min_s"},
}
"""By rule, the setting of its limit in each tier that is reviewed. A limit that both tiers share is reviewed in tier
`vae`, where fewer other rules come before it."""

_BOUNDARIES = ("cut",)

_OF_EACH_STRETCH = ("sync",)
"""Rules whose limit depends on the length of the stretch, so that no single number can be recommended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """Limit of a rule in a tier."""

    rule: str
    tier: Tier
    setting: str | None
    """Dotted name of the limit's setting; None for a rule of the user's own."""
    limit: float | None
    """None where it is not on record, as for a rule of the user's own that dropped nothing."""
    words: str
    """Description of the value."""
    unit: str
    at_most: bool
    """Whether values up to the limit are kept, or values from the limit on."""
    boundary: bool
    """Whether it divides clips and drops nothing."""
    own: bool
    """Whether it is a rule of the user's own, whose values are known where it dropped something only."""

    @property
    def key(self) -> str:
        """Name of the criterion, such as ``frontal.diffusion``."""
        return f"{self.rule}.{self.tier}"

    @property
    def adjustable(self) -> bool:
        """Whether a single number decides, so that another one can be recommended."""
        return self.setting is not None and not self.boundary and self.rule not in _OF_EACH_STRETCH

    def drops(self, value: float, limit: float) -> bool:
        """Return whether a value lies beyond a limit."""
        return value > limit if self.at_most else value < limit


def criteria_of(
    settings: CurationSettings, rules: Sequence[RuleRecord], own_limits: Mapping[tuple[str, Tier], float]
) -> tuple[Criterion, ...]:
    """Return the criteria of a dataset in the order in which its rules are applied.

    Args:
        settings: of the dataset.
        rules: its record of them.
        own_limits: by rule of the user's own and tier, the limit found in the table `spans`.
    """
    leaves = dict(setting_leaves(settings_of(settings)))
    found = []
    for record in rules:
        places: dict[Tier, str | None] = dict.fromkeys(settings.tiers)
        if record.name in _SETTINGS:
            places = dict(_SETTINGS[record.name])
            if set(places) == {"vae"} and "vae" not in settings.tiers:
                places = {"diffusion": places["vae"]}
        for tier in (tier for tier in settings.tiers if tier in places):
            setting = places[tier]
            limit = own_limits.get((record.name, tier)) if setting is None else float(str(leaves[setting]))
            found.append(
                Criterion(
                    rule=record.name,
                    tier=tier,
                    setting=setting,
                    limit=limit,
                    words=record.words,
                    unit=record.unit,
                    at_most=record.keeps == "at most",
                    boundary=record.name in _BOUNDARIES,
                    own=record.own,
                )
            )
    return tuple(found)

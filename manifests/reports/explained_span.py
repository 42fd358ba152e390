"""A span of a video with the reason why it was kept or dropped, in words."""

from dataclasses import dataclass

from manifests.reports.explain_measured import ON_GRID
from manifests.reports.explain_sync import moved_text, outcome_text
from manifests.rule_record import RuleRecord

__all__ = ["ExplainedSpan"]

_STATES = {  # outcomes that are no rule
    "trimmed": "outside the stretches of the video that were asked for",
    "undecodable": "the file holds no readable picture here",
    "not_asked": "clips of this tier were not asked for (setting tiers), or `gaia-curate subset` left the clip out",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedSpan:
    """A row of `spans`."""

    start_s: float
    end_s: float
    outcome: str
    value: float | None
    limit: float | None
    failed: tuple[str, ...]
    clip_id: str | None
    rule: RuleRecord | None
    """Description of the rule that decided; None: none did, or an older version wrote the dataset."""
    sync: str | None = None
    """Whether lips and sound belong together, as in `spans`."""
    sync_reason: str | None = None
    sound_moved_s: float | None = None
    """Time by which the sound of its clip was moved, as in `clips`."""
    on_grid: bool = False
    """Whether a border of it is known to 5 ticks only, as in `spans`."""

    @property
    def reason(self) -> str:
        """The reason, in words."""
        return f"{self._why}; {ON_GRID}" if self.on_grid else self._why

    @property
    def _why(self) -> str:
        if self.outcome == "kept":
            texts = [f"in clip {self.clip_id}"]
            if self.sync is not None:
                texts.append(f"lips and sound: {outcome_text(self.sync, self.sync_reason)}")
            if self.sound_moved_s is not None:
                texts.append(moved_text(self.sound_moved_s))
            return "; ".join(texts)
        if reason := _STATES.get(self.outcome):
            return reason
        what = f"value of the rule {self.outcome}" if self.rule is None else self.rule.words
        unit = f" {self.rule.unit}" if self.rule is not None and self.rule.unit else ""
        if self.value is None:
            return f"{what} could not be measured"
        if self.limit is None:
            return f"{what} is {self.value:.4g}{unit}"
        kept = "the limit is" if self.rule is None else f"kept is {self.rule.keeps}"
        return f"{what} is {self.value:.4g}{unit}; {kept} {self.limit:.4g}{unit}"

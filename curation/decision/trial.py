"""Trial of the user's own rules, before any video is decoded."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.decision.decide import decide
from curation.decision.own_rules import require_own_names
from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence, Faces
from curation.rules.rule import Rule, RuleError
from manifests.landmarks import LandmarkScheme
from manifests.schema.face_measures import FACE_MEASURES

__all__ = ["require_usable"]

_TICKS = 100


def require_usable(rules: Sequence[Rule], scheme: LandmarkScheme) -> None:
    """Refuse rules that cannot be used: wrong names, and functions that fail on a video without faces and audio.

    A run may meet such a video after hours, and a rule has to return values for it, such as NaN.

    Args:
        rules: of the user's own.
        scheme: of the landmarks.

    Raises:
        RuleError: the first rule that cannot be used.
    """
    require_own_names(rules)
    if not rules:
        return
    measures: dict[str, Any] = {measure.field: measure.unmeasured(0) for measure in FACE_MEASURES}
    measures["landmarks_px"] = np.zeros((0, scheme.n_points, 2), np.float32)
    evidence = Evidence(
        decoded=np.ones(_TICKS, dtype=np.bool_),
        faces=Faces(tick=np.zeros(0, dtype=np.int64), **measures),
        cut_score=np.zeros(_TICKS, dtype=np.float32),
        speech_prob=None,
        loudness_dbfs=None,
    )
    try:
        decide(evidence, RulesSettings(), rules)
    except RuleError as error:
        raise RuleError(
            f"{error}; tried on {_TICKS} ticks of a video without a face and without sound, as a run may meet one"
        ) from error

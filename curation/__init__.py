"""Curation: turn raw videos of people talking into audited training data.

>>> import curation
>>> settings = curation.load_settings("embedded", overrides={"rules.frontal.strict_deg": 10})

`curation.run("videos/", "my-dataset", settings, workers=4)` makes a dataset, which `manifests.Dataset` reads;
`curation.analyze` and `curation.decide` do the same for one video in memory. Nothing is loaded before it is used.
"""

from typing import TYPE_CHECKING

from foundation.lazy import lazy_attributes

if TYPE_CHECKING:
    from curation.decision.decide import Decision, RulesSettings, decide
    from curation.engine.execution import Executor
    from curation.evidence.measures import Evidence, FaceMeasures
    from curation.operations.analyze import analyze
    from curation.operations.decide import redecide
    from curation.operations.doctor import examine as doctor
    from curation.operations.forget import forget
    from curation.operations.plan import plan
    from curation.operations.read_evidence import read_evidence
    from curation.operations.retry import retry
    from curation.operations.run import RunReport, run
    from curation.rules.rule import MeasuredVideo, Rule, RuleError, rule
    from curation.rules.verdict import Verdict
    from curation.settings import CurationSettings, load_settings
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "CurationSettings": "curation.settings",
            "Decision": "curation.decision.decide",
            "Evidence": "curation.evidence.measures",
            "Executor": "curation.engine.execution",
            "FaceMeasures": "curation.evidence.measures",
            "MeasuredVideo": "curation.rules.rule",
            "Rule": "curation.rules.rule",
            "RuleError": "curation.rules.rule",
            "RulesSettings": "curation.decision.decide",
            "RunReport": "curation.operations.run",
            "Verdict": "curation.rules.verdict",
            "analyze": "curation.operations.analyze",
            "decide": "curation.decision.decide",
            "doctor": "curation.operations.doctor:examine",
            "forget": "curation.operations.forget",
            "load_settings": "curation.settings",
            "plan": "curation.operations.plan",
            "read_evidence": "curation.operations.read_evidence",
            "redecide": "curation.operations.decide",
            "retry": "curation.operations.retry",
            "rule": "curation.rules.rule",
            "run": "curation.operations.run",
        },
    )

__all__ = [
    "CurationSettings",
    "Decision",
    "Evidence",
    "Executor",
    "FaceMeasures",
    "MeasuredVideo",
    "Rule",
    "RuleError",
    "RulesSettings",
    "RunReport",
    "Verdict",
    "analyze",
    "decide",
    "doctor",
    "forget",
    "load_settings",
    "plan",
    "read_evidence",
    "redecide",
    "retry",
    "rule",
    "run",
]

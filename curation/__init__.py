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
    from curation.differences.compare import compare
    from curation.differences.found import Differences
    from curation.engine.execution import Executor
    from curation.engine.supervision import PoolSettings
    from curation.evidence.measures import Evidence, FaceMeasures
    from curation.model_registry import register_model
    from curation.operations.analyze import analyze
    from curation.operations.decide import redecide
    from curation.operations.doctor import examine as doctor
    from curation.operations.duplicates import Duplicates, find_duplicates
    from curation.operations.find_person import FoundPerson, PersonVideo, find_person
    from curation.operations.forget import forget
    from curation.operations.identities import IdentityReport, find_identities
    from curation.operations.plan import Plan, Sampling, plan
    from curation.operations.read_evidence import read_evidence
    from curation.operations.retry import RetryReport, retry
    from curation.operations.run import RunReport, run
    from curation.perception.cards import FaceFinderCard, HeadPoseCard, IdentityCard, MaskCard, SpeakingCard
    from curation.perception.protocols import FaceObservation
    from curation.review.build import write_label_sheet, write_report
    from curation.review.calibration import Calibration, calibrate
    from curation.review.written_page import WrittenPage
    from curation.rules.rule import MeasuredVideo, Rule, RuleError, rule
    from curation.rules.verdict import Verdict
    from curation.settings import CurationSettings, load_settings
    from curation.sources.exclusions import Exclusions, read_exclusions
    from curation.sources.scratch import ScratchSettings
    from curation.speech.cards import DenoiserCard, EncoderCard, TranscriberCard, VoiceCard
    from curation.what_if.kept_figures import WhatIf
    from curation.what_if.vary import vary
    from foundation.weights import Asset, AssetFile, UrlSource, asset_path
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "Asset": "foundation.weights",
            "AssetFile": "foundation.weights",
            "UrlSource": "foundation.weights",
            "asset_path": "foundation.weights",
            "Calibration": "curation.review.calibration",
            "CurationSettings": "curation.settings",
            "Decision": "curation.decision.decide",
            "Differences": "curation.differences.found",
            "Duplicates": "curation.operations.duplicates",
            "DenoiserCard": "curation.speech.cards",
            "EncoderCard": "curation.speech.cards",
            "Evidence": "curation.evidence.measures",
            "Exclusions": "curation.sources.exclusions",
            "Executor": "curation.engine.execution",
            "FoundPerson": "curation.operations.find_person",
            "PersonVideo": "curation.operations.find_person",
            "find_person": "curation.operations.find_person",
            "FaceFinderCard": "curation.perception.cards",
            "FaceMeasures": "curation.evidence.measures",
            "FaceObservation": "curation.perception.protocols",
            "HeadPoseCard": "curation.perception.cards",
            "IdentityReport": "curation.operations.identities",
            "IdentityCard": "curation.perception.cards",
            "MaskCard": "curation.perception.cards",
            "MeasuredVideo": "curation.rules.rule",
            "Plan": "curation.operations.plan",
            "PoolSettings": "curation.engine.supervision",
            "RetryReport": "curation.operations.retry",
            "Rule": "curation.rules.rule",
            "RuleError": "curation.rules.rule",
            "RulesSettings": "curation.decision.decide",
            "RunReport": "curation.operations.run",
            "Sampling": "curation.operations.plan",
            "ScratchSettings": "curation.sources.scratch",
            "SpeakingCard": "curation.perception.cards",
            "TranscriberCard": "curation.speech.cards",
            "Verdict": "curation.rules.verdict",
            "VoiceCard": "curation.speech.cards",
            "WhatIf": "curation.what_if.kept_figures",
            "WrittenPage": "curation.review.written_page",
            "analyze": "curation.operations.analyze",
            "calibrate": "curation.review.calibration",
            "compare": "curation.differences.compare",
            "decide": "curation.decision.decide",
            "doctor": "curation.operations.doctor:examine",
            "find_duplicates": "curation.operations.duplicates",
            "find_identities": "curation.operations.identities",
            "forget": "curation.operations.forget",
            "load_settings": "curation.settings",
            "plan": "curation.operations.plan",
            "read_evidence": "curation.operations.read_evidence",
            "read_exclusions": "curation.sources.exclusions",
            "redecide": "curation.operations.decide",
            "register_model": "curation.model_registry",
            "retry": "curation.operations.retry",
            "rule": "curation.rules.rule",
            "run": "curation.operations.run",
            "vary": "curation.what_if.vary",
            "write_label_sheet": "curation.review.build",
            "write_report": "curation.review.build",
        },
    )

__all__ = [
    "Asset",
    "AssetFile",
    "Calibration",
    "CurationSettings",
    "Decision",
    "DenoiserCard",
    "Differences",
    "Duplicates",
    "EncoderCard",
    "Evidence",
    "Exclusions",
    "Executor",
    "FaceFinderCard",
    "FaceMeasures",
    "FaceObservation",
    "FoundPerson",
    "HeadPoseCard",
    "IdentityCard",
    "IdentityReport",
    "MaskCard",
    "MeasuredVideo",
    "PersonVideo",
    "Plan",
    "PoolSettings",
    "RetryReport",
    "Rule",
    "RuleError",
    "RulesSettings",
    "RunReport",
    "Sampling",
    "ScratchSettings",
    "SpeakingCard",
    "TranscriberCard",
    "UrlSource",
    "Verdict",
    "VoiceCard",
    "WhatIf",
    "WrittenPage",
    "analyze",
    "asset_path",
    "calibrate",
    "compare",
    "decide",
    "doctor",
    "find_duplicates",
    "find_identities",
    "find_person",
    "forget",
    "load_settings",
    "plan",
    "read_evidence",
    "read_exclusions",
    "redecide",
    "register_model",
    "retry",
    "rule",
    "run",
    "vary",
    "write_label_sheet",
    "write_report",
]

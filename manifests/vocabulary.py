"""Vocabulary of a dataset: rules, outcomes, tiers, splits, statuses and error codes."""

from typing import Literal, get_args

__all__ = [
    "ERROR_CODES",
    "FAILED_STATUSES",
    "GENERATED_TAGS",
    "GROUPINGS",
    "LABEL_NAMES",
    "OUTCOMES",
    "RULES",
    "SPLITS",
    "SYNC_OUTCOMES",
    "SYNC_REASONS",
    "TIERS",
    "ErrorCode",
    "GeneratedTag",
    "Outcome",
    "RuleName",
    "Split",
    "SyncOutcome",
    "SyncReason",
    "Tier",
    "VideoStatus",
]

RuleName = Literal[
    "generated", "no_face", "several_faces", "small_face", "cut", "frontal", "jitter", "mask", "silence", "still_face",
    "not_speaking", "sync", "too_short",
]  # fmt: skip

RULES: tuple[RuleName, ...] = get_args(RuleName)
"""The built-in rules in the order in which they are applied: a tick's outcome is the first rule that it fails. Rules of
the user's own come before `sync`; `dataset.json` names them."""

_State = Literal["kept", "trimmed", "undecodable", "not_asked"]

Outcome = _State | RuleName

OUTCOMES: tuple[Outcome, ...] = (*get_args(_State), *RULES)
"""`kept`, a rule, or: `trimmed`, outside the stretches of the video that the user chose, and not measured;
`undecodable`, the file holds no trustworthy frame; `not_asked`, the setting `tiers` does not ask for clips of this
tier, or `gaia-curate subset` did not choose the clip. A dataset made with the user's own rules has their names, too."""

Tier = Literal["diffusion", "vae"]

TIERS: tuple[Tier, ...] = get_args(Tier)
"""`diffusion` clips passed the strict limits and speak; `vae` clips passed the loose ones (GAIA appendix A.1)."""

SyncOutcome = Literal["in_sync", "not_in_sync", "undecided", "not_measured"]

SYNC_OUTCOMES: tuple[SyncOutcome, ...] = get_args(SyncOutcome)
"""Whether lips and sound of a stretch belong together, by the rule `sync`."""

SyncReason = Literal[
    "no_sound", "no_scores", "few_ticks", "little_speech", "few_pictures", "turned", "covered",
]  # fmt: skip

SYNC_REASONS: tuple[SyncReason, ...] = get_args(SyncReason)
"""Why a stretch is `not_measured`. `no_sound`: the video has none; `no_scores`: lips and sound were not compared on
most ticks, because the face finder gives no 478 points, the comparison is switched off, or the stretch passes the
other rules only under changed limits; `few_ticks`: it is too short; `little_speech`; `few_pictures`: pictures repeat,
so that lips move in steps; `turned`: the face; `covered`: the mouth."""

GeneratedTag = Literal[
    "gaia_avatar", "gaia_avatar_mark", "trained_algorithmic_media", "composite_with_trained_algorithmic_media",
    "composite_synthetic", "aigc_label", "comfyui_workflow", "content_credentials",
]  # fmt: skip

GENERATED_TAGS: tuple[GeneratedTag, ...] = get_args(GeneratedTag)
"""What a video file says of how it was made; all but `content_credentials` say that it, or a part of it, was generated.
`gaia_avatar`: the tags that `gaia-generate` writes; `gaia_avatar_mark`: the invisible mark that it puts into the
pictures, sought as `analysis.mark_s` says. `trained_algorithmic_media`,
`composite_with_trained_algorithmic_media`, `composite_synthetic`: IPTC's terms for a digital source type, in XMP, in
Content Credentials or in a tag of the container. `aigc_label`: the label of GB 45438-2025. `comfyui_workflow`: the
workflow of ComfyUI that wrote the file. `content_credentials`: a C2PA manifest, which cameras write, too."""

Split = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = get_args(Split)
"""In the order of how much a model sees of them: what is in an earlier one must not be judged as if it were unseen."""

LABEL_NAMES = ("licence", "consent", "language", "age", "gender", "skin_type")
"""Columns of `videos` and `clips` that a list or an annotation fills."""

GROUPINGS = ("source", *LABEL_NAMES, "language_detected")
"""Columns by which videos and people can be grouped. `language` is what a list states, `language_detected` what the
transcripts of most seconds of a video's clips are in."""

VideoStatus = Literal["ok", "failed", "quarantined", "excluded"]

FAILED_STATUSES: tuple[VideoStatus, ...] = ("failed", "quarantined")
"""Statuses of videos that `gaia-curate retry` tries again; `excluded` is what the user chose."""

ErrorCode = Literal[
    "unreadable", "no_video_stream", "decoder_unfit", "internal", "worker_died", "out_of_memory", "timed_out",
    "changed", "unreachable", "no_scratch", "trim_outside", "excluded", "no_consent",
]  # fmt: skip

ERROR_CODES: tuple[ErrorCode, ...] = get_args(ErrorCode)
"""`unreadable`: no container or decoder could make sense of the file; `no_video_stream`: it holds audio only;
`decoder_unfit`: the decoder that was chosen would time or show its frames wrongly;
`internal`: our own code failed on it, which is a bug to report; `worker_died`, `out_of_memory`, `timed_out`: how
every worker that tried it ended. Of remote files: `changed`: it was replaced after it had been listed;
`unreachable`: its storage did not deliver it; `no_scratch`: its server sends whole files only, and there was no room
for one. `trim_outside`: a requested stretch lies outside the video. `excluded`: a list of people or videos to
leave out names it. `no_consent`: consent is required, and none is recorded."""

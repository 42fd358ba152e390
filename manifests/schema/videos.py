"""Columns of the tables `videos` and `spans`."""

import pyarrow as pa

from manifests.schema.columns import F32, F64, I32, I64, PATH, TEXT, TRIMS, Table, optional, required
from manifests.schema.label_columns import LABELS

__all__ = ["SPANS", "TIMING_COLUMNS", "VIDEOS"]

VIDEOS = Table(
    name="videos",
    meaning="One row per source file, whatever became of it. Files of equal content share their `video_id`; all but "
    "one of them say `duplicate_of`.",
    row_group_rows=65_536,
    columns=(
        required("video_id", TEXT, "", "16 hex digits of a hash of the content"),
        required("source", TEXT, "", "name of the corpus or folder that the file came from"),
        required("path", TEXT, "", PATH),
        optional("speaker_id", TEXT, "", "who speaks, where the layout tells; null where it does not"),
        *LABELS,
        required(
            "trims",
            TRIMS,
            "",
            "stretches that were asked for, each a struct of start, end (null: the video's end) and their unit, s or "
            "pictures; empty: all of the video",
            "[S]",
        ),
        optional("size_bytes", I64, "bytes", "size of the file"),
        optional(
            "duration_s",
            F64,
            "s",
            "length of the video; its spans end at the tick nearest to it; null if not analysed",
        ),
        optional("width", I32, "px", "width of the first upright picture; a stream may go on in another size"),
        optional("height", I32, "px", "height of the first upright picture"),
        optional("fps", F64, "1/s", "nominal frame rate of the file"),
        optional("codec", TEXT, "", "video codec, FFmpeg's name: h264, av1; of the first of several joined recordings"),
        optional("has_audio", pa.bool_(), "", "the file has an audio stream"),
        optional("audio_track", I32, "", "number of the audio track that was heard, 1 for the first; null without one"),
        optional("audio_tracks", I32, "tracks", "how many audio tracks belong to the video"),
        optional(
            "rotation",
            I32,
            "deg",
            "rotation that the file asks for, after a flip if it asks for one; both already applied to width, height "
            "and pixels",
        ),
        optional(
            "generated_tags",
            pa.list_(TEXT),
            "",
            "what the file says of how it was made, words of manifests.vocabulary.GENERATED_TAGS, of which all but "
            "content_credentials say that it was generated; empty where it says nothing, null where that was not read",
            "[G]",
            later=True,
        ),
        required("status", TEXT, "", "ok, failed, quarantined or excluded"),
        optional("error_code", TEXT, "", "why it is not ok, a word of manifests.vocabulary.ERROR_CODES"),
        optional("error_detail", TEXT, "", "the same in a sentence"),
        required("kept_diffusion_s", F64, "s", "seconds kept in tier diffusion; 0 in a duplicate's row"),
        required("kept_vae_s", F64, "s", "seconds kept in tier vae, those of diffusion clips included"),
        required("n_clips", I32, "clips", "rows in `clips`, both tiers"),
        optional("duplicate_of", TEXT, "", "path of the file of the same content that was analysed instead; else null"),
        optional(
            "sync_z",
            F64,
            "",
            "as in `clips`, of all stretches together whose lips and sound were compared; null where none was",
            later=True,
        ),
        optional("sync_offset_ticks", F64, "ticks", "as in `clips`, likewise", later=True),
        optional("sync_ticks", I32, "ticks", "number of ticks of these stretches that have a score", later=True),
        optional(
            "sync_model",
            TEXT,
            "",
            "what compared lips and sound where it was worth it, name and digest; null: nothing did",
            later=True,
        ),
        optional("speaking_model", TEXT, "", "what told who speaks, likewise", later=True),
        optional(
            "duplicate_group",
            TEXT,
            "",
            "lowest video_id of the near-duplicates that the video belongs to, as `gaia-curate duplicates` found them; "
            "null where there are none",
            later=True,
        ),
        optional("analyze_s", F64, "s", "time that the analysis took; differs between two runs"),
        optional("decide_s", F64, "s", "time that the decision took; differs between two runs"),
        optional("render_s", F64, "s", "time that the rendering took; differs between two runs"),
    ),
)

TIMING_COLUMNS = ("analyze_s", "decide_s", "render_s")
"""The only columns of `videos` that differ between two runs with the same input and settings."""

SPANS = Table(
    name="spans",
    meaning="What became of every second: per readable video and tier, half-open spans that tile [0, duration_s).",
    row_group_rows=65_536,
    columns=(
        required("video_id", TEXT, "", "the video, as in `videos`"),
        required("start_s", F64, "s", "first tick / 25"),
        required("end_s", F64, "s", "end of the span, exclusive"),
        required("tier", TEXT, "", "diffusion or vae: whose limits were applied"),
        required("outcome", TEXT, "", "kept, or the first rule that failed; a word of manifests.vocabulary.OUTCOMES"),
        optional("value", F32, "the rule's", "what decided: the worst value of the span; null where not measured"),
        optional("limit", F32, "the rule's", "the limit that the value was held against"),
        required("failed", pa.list_(TEXT), "", "all rules that some tick of the span fails, in order", "[R]"),
        optional("clip_id", TEXT, "", "the clip that the span became; null unless kept"),
        optional(
            "sync",
            TEXT,
            "",
            "in tier diffusion, of stretches that satisfy all other rules: whether lips and sound belong together, a "
            "word of manifests.vocabulary.SYNC_OUTCOMES; else null",
            later=True,
        ),
        optional("sync_reason", TEXT, "", "why that is not_measured; as in `clips`", later=True),
        optional(
            "on_grid",
            pa.bool_(),
            "",
            "a border of the span is known to 5 ticks only, or to the length of the shortest clip, because no clip "
            "could lie there and only some ticks were looked at; null in files of earlier versions, where all borders "
            "are exact",
            later=True,
        ),
    ),
)

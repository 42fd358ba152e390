"""Columns of `videos`, `spans` and `clips`: what came in, what became of every second, and what was kept."""

import pyarrow as pa

from manifests.columns import Column, Table

__all__ = ["CLIPS", "SPANS", "TIMING_COLUMNS", "VIDEOS"]

_TEXT = pa.string()
_F32 = pa.float32()
_F64 = pa.float64()
_I32 = pa.int32()
_I64 = pa.int64()
_POINTS = pa.list_(pa.list_(pa.list_(_F32, 2)))
_TRIMS = pa.list_(pa.struct([("start", _F64), ("end", _F64), ("unit", _TEXT)]))
_PATH = "path of the file at the time of the run, as manifests.files.text_of_path writes it"


def _must(name: str, data_type: pa.DataType, unit: str, meaning: str, shape: str = "") -> Column:
    return Column(name=name, type=data_type, unit=unit, shape=shape, meaning=meaning, nullable=False)


def _may(name: str, data_type: pa.DataType, unit: str, meaning: str, shape: str = "") -> Column:
    return Column(name=name, type=data_type, unit=unit, shape=shape, meaning=meaning, nullable=True)


VIDEOS = Table(
    name="videos",
    meaning="One row per source file, whatever became of it. Files of equal content share their `video_id`; all but "
    "one of them say `duplicate_of`.",
    row_group_rows=65_536,
    columns=(
        _must("video_id", _TEXT, "", "16 hex digits of a fingerprint of the content: size, first and last MiB"),
        _must("source", _TEXT, "", "name of the corpus or folder that the file came from"),
        _must("path", _TEXT, "", _PATH),
        _may("speaker_id", _TEXT, "", "who speaks, where the layout tells; null where it does not"),
        _must(
            "trims",
            _TRIMS,
            "",
            "stretches that were asked for, each a struct of start, end (null: the video's end) and their unit, s or "
            "pictures; empty: all of the video",
            "[S]",
        ),
        _may("size_bytes", _I64, "bytes", "size of the file"),
        _may(
            "duration_s",
            _F64,
            "s",
            "length of the video; its spans end at the tick nearest to it; null if not analysed",
        ),
        _may("width", _I32, "px", "width of the upright picture"),
        _may("height", _I32, "px", "height of the upright picture"),
        _may("fps", _F64, "1/s", "nominal frame rate of the file"),
        _may("codec", _TEXT, "", "video codec, FFmpeg's name"),
        _may("has_audio", pa.bool_(), "", "the file has an audio stream"),
        _may("rotation", _I32, "deg", "rotation that the file asks for; already applied to width, height and pixels"),
        _must("status", _TEXT, "", "ok, failed, quarantined or excluded"),
        _may("error_code", _TEXT, "", "why it is not ok, a word of manifests.outcomes.ERROR_CODES"),
        _may("error_detail", _TEXT, "", "the same in a sentence"),
        _must("kept_diffusion_s", _F64, "s", "seconds kept in tier diffusion; 0 in a duplicate's row"),
        _must("kept_vae_s", _F64, "s", "seconds kept in tier vae, those of diffusion clips included"),
        _must("n_clips", _I32, "clips", "rows in `clips`, both tiers"),
        _may("duplicate_of", _TEXT, "", "path of the file of the same content that was analysed instead; else null"),
        _may("analyze_s", _F64, "s", "time that the analysis took; differs between two runs"),
        _may("decide_s", _F64, "s", "time that the decision took; differs between two runs"),
        _may("render_s", _F64, "s", "time that the rendering took; differs between two runs"),
    ),
)

TIMING_COLUMNS = ("analyze_s", "decide_s", "render_s")
"""The only columns of `videos` that differ between two runs of the same input and config."""

SPANS = Table(
    name="spans",
    meaning="What became of every second: per readable video and tier, half-open spans that tile [0, duration_s).",
    row_group_rows=65_536,
    columns=(
        _must("video_id", _TEXT, "", "the video, as in `videos`"),
        _must("start_s", _F64, "s", "first tick / 25"),
        _must("end_s", _F64, "s", "end of the span, exclusive"),
        _must("tier", _TEXT, "", "diffusion or vae: whose limits were applied"),
        _must("outcome", _TEXT, "", "kept, or the first rule that failed; a word of manifests.outcomes.OUTCOMES"),
        _may("value", _F32, "the rule's", "what decided: the worst value of the span; null where not measured"),
        _may("limit", _F32, "the rule's", "the limit that the value was held against"),
        _must("failed", pa.list_(_TEXT), "", "all rules that some tick of the span fails, in order", "[R]"),
        _may("clip_id", _TEXT, "", "the clip that the span became; null unless kept"),
    ),
)

CLIPS = Table(
    name="clips",
    meaning="The manifest: one row per kept clip, arrays included; what the trainers read.",
    row_group_rows=1,
    columns=(
        _must("clip_id", _TEXT, "", "<video_id>-<first tick>-<last tick>, the last inclusive"),
        _must("video_id", _TEXT, "", "the video, as in `videos`"),
        _must("source", _TEXT, "", "as in `videos`"),
        _must("path", _TEXT, "", _PATH),
        _may("speaker_id", _TEXT, "", "as in `videos`"),
        _must("tier", _TEXT, "", "diffusion: for both trainers; vae: for the VAE only"),
        _must("split", _TEXT, "", "train, val or test; all clips of a speaker are in one"),
        _must("start_s", _F64, "s", "start in the source video"),
        _must("end_s", _F64, "s", "end in the source video, exclusive"),
        _must("n_frames", _I32, "frames", "N: frames of the clip, one per tick"),
        _must("fps", _F64, "1/s", "always 25"),
        _must("crop_x0", _F32, "source px", "left border of the square crop; negative where it leaves the picture"),
        _must("crop_y0", _F32, "source px", "upper border of the crop"),
        _must("crop_size", _F32, "source px", "side of the crop, scaled to 256"),
        _must("landmarks", _POINTS, "crop px", "points in the 256x256 crop", "[N,K,2]"),
        _must("landmark_scheme", _TEXT, "", "numbering of the landmarks, a name in manifests.landmarks"),
        _may("blendshapes", pa.list_(pa.list_(pa.float16(), 52)), "0 to 1", "ARKit-like coefficients", "[N,52]"),
        _must("pose_deg", pa.list_(pa.list_(_F32, 3)), "deg", "pitch, yaw, roll", "[N,3]"),
        _must("pose_method", _TEXT, "", "how the pose was computed"),
        _may("speech_features", pa.list_(pa.list_(pa.float16())), "", "row k is about (k + 0.5) / 25 s", "[N,D]"),
        _may("speech_encoder", _TEXT, "", "network that gave the speech features"),
        _may("denoiser", _TEXT, "", "network that cleaned the speech; null where it was left as it is"),
        _may("loudness_lufs_before", _F32, "LUFS", "integrated loudness of the source's sound (EBU R128)"),
        _may("loudness_lufs_after", _F32, "LUFS", "integrated loudness of the clip's sound"),
        _may("snr_db", _F32, "dB", "estimated signal-to-noise ratio of the source's sound"),
        _may("speech_ratio", _F32, "0 to 1", "share of ticks with speech; null without an audio stream"),
        _may("frontal_angle_mean", _F32, "deg", "mean of frames.frontal_angle_deg over the clip"),
        _may("frontal_angle_std", _F32, "deg", "its standard deviation"),
        _may("max_step", _F32, "face widths", "largest move of the face between adjacent ticks"),
        _may("mask_prob_max", _F32, "0 to 1", "largest mask probability in the clip"),
        _may("sharpness_mean", _F32, "luma²", "mean of frames.sharpness over the clip"),
        _may("identity", pa.list_(_F32), "", "mean identity descriptor of the speaker in the clip", "[D]"),
        _must("media", _TEXT, "", "tar that holds the clip, relative to the dataset"),
        _must("mp4_offset", _I64, "bytes", "first byte of <clip_id>.mp4 in the tar"),
        _must("mp4_size", _I64, "bytes", "its length: H.264, 256x256, 25 fps"),
        _may("flac_offset", _I64, "bytes", "first byte of <clip_id>.flac in the tar; null without an audio stream"),
        _may("flac_size", _I64, "bytes", "its length: 16 kHz mono, 640 samples per frame"),
        _must("mp4_sha256", _TEXT, "", "sha256 of the MP4, hex"),
        _may("flac_sha256", _TEXT, "", "sha256 of the FLAC, hex"),
    ),
)

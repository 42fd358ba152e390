"""Columns of the table `clips`: the kept clips."""

import pyarrow as pa

from manifests.schema.columns import F32, F64, I32, I64, PATH, TEXT, WORDS, Table, optional, required
from manifests.schema.face_measures import SYNC_LAG_TICKS
from manifests.schema.label_columns import LABELS

__all__ = ["CLIPS", "TRANSCRIPT_COLUMNS"]

_POINTS = pa.list_(pa.list_(pa.list_(F32, 2)))

_TRANSCRIPT = (
    optional(
        "transcript",
        TEXT,
        "",
        "what is said in the clip, as `speech.transcript` heard it; empty where it heard nothing, null where it was "
        "off and in tier vae",
        later=True,
    ),
    optional(
        "words",
        WORDS,
        "",
        "words of the transcript, each a struct of word, start_s, end_s (seconds from the start of the clip) and "
        "confidence (0 to 1)",
        "[W]",
        later=True,
    ),
    optional(
        "language_detected",
        TEXT,
        "",
        "code of the language that was heard, such as `en`; null where the network knows one language only",
        later=True,
    ),
    optional("language_confidence", F32, "0 to 1", "probability of that language", later=True),
    optional(
        "transcript_confidence", F32, "0 to 1", "mean confidence of the words; null where none was heard", later=True
    ),
    optional("transcript_model", TEXT, "", "network that wrote the transcript", later=True),
)

TRANSCRIPT_COLUMNS = tuple(column.name for column in _TRANSCRIPT)
"""Columns of what was said."""

CLIPS = Table(
    name="clips",
    meaning="The manifest: one row per kept clip, arrays included; what the trainers read.",
    row_group_rows=1,
    columns=(
        required("clip_id", TEXT, "", "<video_id>-<first tick>-<last tick>, the last inclusive"),
        required("video_id", TEXT, "", "the video, as in `videos`"),
        required("source", TEXT, "", "as in `videos`"),
        required("path", TEXT, "", PATH),
        optional("speaker_id", TEXT, "", "as in `videos`"),
        *LABELS,
        required("tier", TEXT, "", "diffusion: for both trainers; vae: for the VAE only"),
        required("split", TEXT, "", "train, val or test; all clips of a speaker are in one"),
        required("start_s", F64, "s", "start in the source video"),
        required("end_s", F64, "s", "end in the source video, exclusive"),
        required("n_frames", I32, "frames", "N: frames of the clip, one per tick"),
        required("fps", F64, "1/s", "always 25"),
        required("crop_x0", F32, "source px", "left border of the square crop; negative where it leaves the picture"),
        required("crop_y0", F32, "source px", "upper border of the crop"),
        required("crop_size", F32, "source px", "side of the crop, scaled to the size of the clip"),
        required("landmarks", _POINTS, "crop px", "points in the frames of the clip", "[N,K,2]"),
        required("landmark_scheme", TEXT, "", "numbering of the landmarks, a name in manifests.landmarks"),
        optional("blendshapes", pa.list_(pa.list_(pa.float16(), 52)), "0 to 1", "ARKit-like coefficients", "[N,52]"),
        required("pose_deg", pa.list_(pa.list_(F32, 3)), "deg", "pitch, yaw, roll", "[N,3]"),
        required("pose_method", TEXT, "", "how the pose was computed"),
        optional("speech_features", pa.list_(pa.list_(pa.float16())), "", "row k is about (k + 0.5) / 25 s", "[N,D]"),
        optional("speech_encoder", TEXT, "", "network that gave the speech features"),
        optional("denoiser", TEXT, "", "network that cleaned the speech; null where it was left as it is"),
        optional("loudness_lufs_before", F32, "LUFS", "integrated loudness of the source's sound (EBU R128)"),
        optional("loudness_lufs_after", F32, "LUFS", "integrated loudness of the clip's sound"),
        optional(
            "snr_db",
            F32,
            "dB",
            "estimated ratio of speech to the noise under it in the source's sound, -10 to 60; null without speech",
        ),
        optional("speech_ratio", F32, "0 to 1", "share of ticks with speech; null without an audio stream"),
        *_TRANSCRIPT,
        optional(
            "instruction",
            TEXT,
            "",
            "what the person was asked to do, such as `please smile`; null before `gaia-curate instructions`, and "
            "where no instruction covers enough of the clip",
            later=True,
        ),
        optional(
            "sync",
            TEXT,
            "",
            "whether lips and sound belong together, a word of manifests.vocabulary.SYNC_OUTCOMES. All columns of sync "
            "are about the stretch that was judged: the clip, or in tier vae the longest one in it that left tier "
            "diffusion; null where there is none",
            later=True,
        ),
        optional(
            "sync_reason",
            TEXT,
            "",
            "why it is not_measured, a word of manifests.vocabulary.SYNC_REASONS; null where it was",
            later=True,
        ),
        optional(
            "sync_z",
            F32,
            "",
            "peak of `sync_curve` above its median, times the root of `sync_ticks`; null where not measured",
            later=True,
        ),
        optional(
            "sync_offset_ticks",
            F32,
            "ticks",
            "time by which the sound is later than the lips in the source, by the peak of `sync_curve`; null where not "
            "measured",
            later=True,
        ),
        optional("sync_ticks", I32, "ticks", "number of ticks that `sync_curve` is the mean of", later=True),
        optional(
            "sync_curve",
            pa.list_(pa.float16(), 2 * SYNC_LAG_TICKS + 1),
            "-1 to 1",
            "mean of `frames.sync_scores`, sound 15 ticks earlier to 15 ticks later than the lips; NaN where too few "
            "ticks have the lag",
            f"[{2 * SYNC_LAG_TICKS + 1}]",
            later=True,
        ),
        optional("sync_model", TEXT, "", "network that compared lips and sound", later=True),
        optional(
            "sound_moved_s",
            F64,
            "s",
            "time by which the sound was moved earlier when the clip was cut, negative: later; null where it was not",
            later=True,
        ),
        optional("frontal_angle_mean", F32, "deg", "mean of frames.frontal_angle_deg over the clip"),
        optional("frontal_angle_std", F32, "deg", "its standard deviation"),
        optional("max_step", F32, "face widths", "largest move of the face between adjacent ticks"),
        optional("mask_prob_max", F32, "0 to 1", "largest `mask_prob` in the clip"),
        optional("sharpness_mean", F32, "luma²", "mean of frames.sharpness over the clip"),
        optional("identity", pa.list_(F32), "", "mean identity descriptor of the speaker in the clip", "[D]"),
        optional(
            "person_id", TEXT, "", "who is shown, as in `identities`; null before `gaia-curate identities`", later=True
        ),
        optional("person_confidence", F32, "0 to 1", "as in `identities`", later=True),
        required("media", TEXT, "", "tar that holds the clip, relative to the dataset"),
        required("mp4_offset", I64, "bytes", "first byte of <clip_id>.mp4 in the tar"),
        required("mp4_size", I64, "bytes", "its length: H.264, 256x256, 25 fps"),
        optional("flac_offset", I64, "bytes", "first byte of <clip_id>.flac in the tar; null without an audio stream"),
        optional(
            "flac_size",
            I64,
            "bytes",
            "its length: 16 kHz mono, 640 samples per frame; cleaned in tier diffusion, else as it is",
        ),
        required("mp4_sha256", TEXT, "", "sha256 of the MP4, hex"),
        optional("flac_sha256", TEXT, "", "sha256 of the FLAC, hex"),
    ),
)

"""Columns of the table `identities`: who the face of each track is."""

import pyarrow as pa

from manifests.schema.columns import F32, F64, I32, TEXT, Table, optional, required

__all__ = ["IDENTITIES"]

IDENTITIES = Table(
    name="identities",
    meaning="Who is who: one row per face track with a descriptor, written by `gaia-curate identities`; none before. "
    "The clips of a track have its `person_id` and `person_confidence`.",
    row_group_rows=65_536,
    later=True,
    columns=(
        required("video_id", TEXT, "", "the video, as in `videos`"),
        required("track_id", I32, "", "track of the face, as in `frames`"),
        required("start_s", F64, "s", "when the track's first descriptor was taken"),
        required("end_s", F64, "s", "end of the tick of its last one"),
        required("n_descriptors", I32, "descriptors", "descriptors whose mean stands for the track"),
        required("clip_ids", pa.list_(TEXT), "", "clips that show this face, in the order of their names", "[C]"),
        optional("speaker_id", TEXT, "", "as in `videos`, of tracks with clips; null where the layout does not tell"),
        required("person_id", TEXT, "", "the person; later runs keep it"),
        required(
            "person_confidence",
            F32,
            "0 to 1",
            "chance that the face is this person and no other of the dataset, by its likeness to both; 1 where the "
            "user said so",
        ),
        optional("voice_id", TEXT, "", "the voice in the clips of the track; null where voices were not compared"),
        optional(
            "voice_embedding", pa.list_(F32), "", "mean of what the voice model gives for its clips, length 1", "[D]"
        ),
        optional("voice_model", TEXT, "", "model that gave the embedding; null where voices were not compared"),
        optional("conflict", TEXT, "", "in words, what does not fit and should be looked at; null where all fits"),
    ),
)

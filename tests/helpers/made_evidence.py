"""Evidence taken apart by hand."""

import dataclasses

from curation.evidence.measures import Evidence, Faces, PictureEvidence


def part(evidence: Evidence, first: int, end: int) -> PictureEvidence:
    """Cut by hand: what a window of these ticks would hold."""
    faces = evidence.faces
    inside = (faces.tick >= first) & (faces.tick < end)
    columns = {
        field.name: None if getattr(faces, field.name) is None else getattr(faces, field.name)[inside]
        for field in dataclasses.fields(Faces)
    }
    columns["tick"] = faces.tick[inside] - first
    return PictureEvidence(
        decoded=evidence.decoded[first:end], faces=Faces(**columns), cut_score=evidence.cut_score[first:end]
    )

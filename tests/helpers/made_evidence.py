"""Evidence of windows, cut out of the evidence of a video."""

import dataclasses

from curation.evidence.measures import Evidence, Faces, FrameEvidence


def part(evidence: Evidence, first: int, end: int) -> FrameEvidence:
    """Return the evidence of a window of these ticks."""
    faces = evidence.faces
    inside = (faces.tick >= first) & (faces.tick < end)
    columns = {
        field.name: None if getattr(faces, field.name) is None else getattr(faces, field.name)[inside]
        for field in dataclasses.fields(Faces)
    }
    columns["tick"] = faces.tick[inside] - first
    return FrameEvidence(
        decoded=evidence.decoded[first:end], faces=Faces(**columns), cut_score=evidence.cut_score[first:end]
    )

"""What people are asked about a video (section 5.1), and the grades that they give.

The paper names five criteria and five grades, 1 to 5, and prints mean opinion scores of which more is better. It does
not print what its participants read. The sentences here are ours. The names of the grades are those of absolute
category rating (ITU-T P.800, P.910).
"""

from dataclasses import dataclass

__all__ = ["CRITERIA", "GRADES", "Criterion"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """One thing that a video is rated for; 5 is the best grade of each."""

    key: str
    """Name in files."""
    name: str
    """As the paper has it."""
    short: str
    """Heading of the column in Tables 3 and 8."""
    question: str
    worst: str
    """What the grade 1 means."""
    best: str
    """What the grade 5 means."""


CRITERIA = (
    Criterion(
        key="naturalness",
        name="Overall naturalness",
        short="Nat.",
        question="Could this be a recording of a person?",
        worst="plainly artificial",
        best="like a recording",
    ),
    Criterion(
        key="lip_sync",
        name="Lip-sync quality",
        short="Lip.",
        question="Do the lips fit what is heard?",
        worst="they do not fit",
        best="they fit at every sound",
    ),
    Criterion(
        key="jitter",
        name="Motion jittering",
        short="Jit.",
        question="Is the motion steady, without trembling and jumps?",
        worst="trembles or jumps",
        best="steady",
    ),
    Criterion(
        key="visual_quality",
        name="Visual quality",
        short="Vis.",
        question="Are the pictures clear, without blur and errors?",
        worst="blurred or broken",
        best="clear",
    ),
    Criterion(
        key="diversity",
        name="Motion diversity",
        short="Mot.",
        question="Do head and face move in varied ways?",
        worst="hardly move",
        best="varied and lively",
    ),
)
"""The criteria, in the paper's order."""

GRADES = ("bad", "poor", "fair", "good", "excellent")
"""Names of the grades 1 to 5."""

"""Columns of what a list or an annotation states of a video and of the person in it, in `videos` and in `clips`.

Nothing is measured: a value is what the source says, and null where it says nothing.
"""

from manifests.schema.columns import TEXT, Column, optional

__all__ = ["LABELS"]


def _label(name: str, meaning: str) -> Column:
    return optional(
        name, TEXT, "", f"{meaning}, as the list or annotation states it; null where it does not", later=True
    )


LABELS: tuple[Column, ...] = (
    _label("licence", "terms under which the video may be used"),
    _label("consent", "consent of the person shown, such as `yes` or the name of a signed form"),
    _label("language", "language spoken"),
    _label("age", "age of the person, years or a range"),
    _label("gender", "gender of the person"),
    _label("skin_type", "type of the person's skin, of a scale such as Fitzpatrick's"),
)

"""The card of a dataset, written into its folder."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from curation.output.folder import DatasetFolder
from curation.output.sole_writer import sole_writer
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.leases import require_lease
from foundation.text import count_text, shown
from manifests.card.croissant import croissant_json
from manifests.card.facts import card_facts
from manifests.card.own_files import require_own
from manifests.card.page import readme

__all__ = ["WrittenCard", "write_card"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenCard:
    """Files of a card, and what they lack."""

    files: tuple[Path, ...]
    clips: int
    without_licence: int
    """Clips whose source states no licence."""
    without_consent: int
    """Clips without recorded consent."""

    def text(self) -> str:
        """Return sentences for people."""
        lines = [f"wrote {path}" for path in self.files]
        clips = count_text(self.clips, "clip")
        if self.without_licence:
            lines.append(f"No licence is recorded for {self.without_licence:,} of {clips}.")
        if self.without_consent:
            lines.append(f"No consent is recorded for {self.without_consent:,} of {clips}.")
        return "\n".join(map(shown, lines))


def write_card(dataset: str | Path, *, wait: bool = False) -> WrittenCard:
    """Write README.md, which `datasets.load_dataset` and people read, and croissant.json into the folder of a dataset.

    Args:
        dataset: the folder or address.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        DatasetError: `dataset` is no dataset, or is damaged; nothing is written.
        CardFileError: a README.md or croissant.json is there that this command did not write; nothing is written.
        LeaseHeldError: another command writes to it, and `wait` is false.
        OSError: a file cannot be read or written.
    """
    with sole_writer(dataset, "gaia-curate card", wait=wait):
        folder = DatasetFolder.existing(dataset)
        facts = card_facts(folder.path)
        today = datetime.now(UTC).date()
        contents = {"README.md": readme(facts), "croissant.json": croissant_json(facts, today)}
        for name, content in contents.items():
            require_own(folder.path, name, content)
        for name, content in contents.items():
            require_lease(folder.path)
            write_bytes_atomic(folder.path / name, content)
        return WrittenCard(
            files=tuple(folder.path / name for name in contents),
            clips=sum(row.clips for row in facts.licences),
            without_licence=sum(row.clips for row in facts.licences if row.licence is None),
            without_consent=sum(row.clips - row.consenting for row in facts.licences),
        )

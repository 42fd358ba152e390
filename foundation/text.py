"""Plain text for people: aligned tables, durations and sizes in the unit that suits them."""

from collections.abc import Sequence
from dataclasses import dataclass

from foundation.address_text import without_secrets

__all__ = [
    "TimeUnit",
    "clock_text",
    "count_text",
    "duration_text",
    "gigabytes",
    "megabytes",
    "printable",
    "shown",
    "text_table",
    "time_unit",
]


@dataclass(frozen=True, slots=True)
class TimeUnit:
    """A unit for all durations of one report, so that they can be compared at a glance."""

    name: str
    seconds: float

    def text(self, seconds: float) -> str:
        """Return a duration in this unit, one decimal.

        >>> time_unit(7200.0).text(90.0), time_unit(90.0).text(90.0)
        ('1.5', '90.0')
        """
        return f"{seconds / self.seconds:,.1f}"


def time_unit(longest_s: float) -> TimeUnit:
    """Return seconds up to 10 minutes, minutes up to 10 hours, hours beyond.

    >>> [time_unit(s).name for s in (59.0, 599.0, 600.0, 36_000.0)]
    ['s', 's', 'min', 'h']
    """
    if longest_s < 600:
        return TimeUnit("s", 1.0)
    return TimeUnit("min", 60.0) if longest_s < 36_000 else TimeUnit("h", 3600.0)


def clock_text(seconds: float) -> str:
    """Return a time as minutes and seconds; a tick is 0.04 s, hence two decimals.

    >>> clock_text(83.48), clock_text(3600.0)
    ('1:23.48', '60:00.00')
    """
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02d}.{hundredths % 100:02d}"


def count_text(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and what it counts.

    Args:
        number: of things.
        noun: for one of them; words may follow it, such as ``video was``.
        plural: for any other number of them; None: the noun with an s.

    >>> count_text(1, "video"), count_text(2_500, "video"), count_text(0, "file was", "files were")
    ('1 video', '2,500 videos', '0 files were')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units, for progress displays.

    >>> [duration_text(s) for s in (0.4, 59.6, 150.0, 7_260.0, 190_000.0)]
    ['0 s', '1 min 0 s', '2 min 30 s', '2 h 1 min', '2 d 4 h']
    """
    total_s = round(seconds)
    for name, smaller, unit_s, smaller_s in (("d", "h", 86_400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if total_s >= unit_s:
            return f"{total_s // unit_s} {name} {total_s % unit_s // smaller_s} {smaller}"
    return f"{total_s} s"


def megabytes(size_bytes: int) -> str:
    """Return the size of a file, for people.

    >>> megabytes(16_923_827), megabytes(713)
    ('16.9 MB', '0.7 kB')
    """
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def gigabytes(size_bytes: float) -> str:
    """Return a size of disk or memory, for people.

    >>> gigabytes(1.25e9), gigabytes(8e6)
    ('1.25 GB', '0.01 GB')
    """
    return f"{size_bytes / 1e9:.2f} GB"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[bool]) -> str:
    """Return rows in columns as wide as their widest cell; columns of numbers are aligned on the right.

    Line breaks and other control characters in a cell are escaped, for file names may hold them.

    >>> print(text_table(["what", "s"], [["kept", "10.0"], ["cut", "2.5"]], numeric=[False, True]))
    what     s
    ----  ----
    kept  10.0
    cut    2.5
    """
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    cells.insert(1, ["-" * width for width in widths])
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def printable(text: str, *, several_lines: bool = False) -> str:
    r"""Return a text whose control characters are escaped, so that a file's name can steer no terminal.

    Escaped is what has no picture of its own: line breaks, escape sequences, marks that turn the direction of writing,
    bytes of a file's name that are no Unicode.

    Args:
        text: for a terminal.
        several_lines: keep the line breaks of a text that has several lines.

    >>> printable("talk\x1b[2J\u202e4pm.mp4")
    'talk\\x1b[2J\\u202e4pm.mp4'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or (several_lines and c == "\n") else c.encode("unicode_escape").decode() for c in text
    )


def shown(text: str, *, several_lines: bool = False) -> str:
    r"""Return a text for people: control characters escaped, addresses without passwords and signatures.

    Args:
        text: for a terminal or a log.
        several_lines: keep its line breaks.

    >>> shown("https://anna:secret@host/a\nb.mp4: ok")
    'https://host/a\\nb.mp4: ok'
    """
    return printable(without_secrets(text), several_lines=several_lines)

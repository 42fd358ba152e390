"""Holds back what native libraries print while they start."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_start_up_chatter"]

_CHATTER = re.compile(r"^(INFO: |[IW]\d{4} |WARNING: (All log messages|Logging) before )")
"""Informational and warning lines as glog, absl and LiteRT write them; errors begin with E or F."""


@contextmanager
def without_start_up_chatter() -> Iterator[None]:
    """Drop the informational lines that native code writes to standard error inside; pass everything else on after it.

    Standard error is one for the whole process, so this belongs around the making of a model, not around each call.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            for line in lines:
                if not _CHATTER.match(line):
                    os.write(2, line.encode())

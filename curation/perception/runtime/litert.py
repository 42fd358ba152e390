"""LiteRT networks, and suppression of the messages that native libraries print as they start."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from foundation.array_types import Float32Array

__all__ = ["LiteRtNetwork", "without_start_up_chatter"]

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


class LiteRtNetwork:
    """A TensorFlow Lite model with one input."""

    def __init__(self, model: bytes) -> None:
        """Load `model`, the content of a .tflite file."""
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, values: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the model's order, for its one input."""
        self.input()[...] = values
        return self.run()

    def input(self) -> Float32Array:
        """Return the memory of the input, for writing without a copy; no reference to it may exist during `run`."""
        view: Float32Array = self._input()
        return view

    def run(self) -> list[Float32Array]:
        """Return the outputs, in the model's order, for what was written to its `input`."""
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output) for output in self._outputs]

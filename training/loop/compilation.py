"""Compilation of the blocks of a network by torch.compile, and a warning where the compiler gives one up.

Each shape of the input has compiled code of its own, and batches of sequences are padded so that they have few shapes.
Code for any length would be shared, but torch 2.13 cannot generate it for the blocks of the motion model on a CPU.
"""

import logging
import os
from collections.abc import Sequence

from torch import nn

from foundation.storage.private_folder import private_folder, temporary_folder_of

__all__ = ["SHAPES_PER_BLOCK", "compile_blocks", "message_of_compiler"]

_LOG = logging.getLogger(__name__)

_COMPILER_LOG = logging.getLogger("torch._dynamo.convert_frame")

SHAPES_PER_BLOCK = 16
"""Shapes that a block may meet: batches of 75 to 250 frames have eight lengths, and previews and the last report have
others. torch compiles eight for all blocks of a class together, and runs the blocks as they are for any further one."""


def compile_blocks(blocks: Sequence[nn.Module]) -> None:
    """Compile each block, in place: blocks of one shape share the compiled code, which a compiled network would not.

    A block that meets too many shapes runs uncompiled for further ones; a warning says so once for its class.

    Raises:
        UnsafeFolderError: another user has made the folder of the compiled code.
    """
    _keep_compiled_code_private()
    import torch._dynamo.config as dynamo  # loads the compiler

    limit = SHAPES_PER_BLOCK * len(blocks)
    dynamo.recompile_limit = max(dynamo.recompile_limit, limit)
    dynamo.accumulated_recompile_limit = max(dynamo.accumulated_recompile_limit, limit)
    for block in blocks:
        _GIVEN_UP.watch(type(block))
        block.compile(dynamic=False)


def _keep_compiled_code_private() -> None:
    """Let torch keep compiled code in a folder of this user, unless the environment names one.

    Its own choice is a name in the temporary folder that anybody can make first, and it runs the code that it finds.
    """
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(private_folder(temporary_folder_of("inductor")))


def message_of_compiler(error: RuntimeError) -> str | None:
    """Return why a block cannot be compiled on this machine, in one line; None for an error of another origin."""
    from torch._dynamo.exc import TorchDynamoException

    if not isinstance(error, TorchDynamoException):
        return None
    message, _, _advice_for_developers = str(error).partition("Set TORCHDYNAMO_VERBOSE")
    return " ".join(message.split())


class _GivenUp(logging.Handler):
    """Reader of the compiler's log: torch names file and line of code that it gives up, this the class of the block."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._name_of_place: dict[str, str] = {}

    def watch(self, kind: type[nn.Module]) -> None:
        """Warn if blocks of this class are given up."""
        code = kind.forward.__code__
        self._name_of_place[f"({code.co_filename}:{code.co_firstlineno})"] = kind.__name__
        if self not in _COMPILER_LOG.handlers:
            _COMPILER_LOG.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "recompile_limit" not in text:
            return
        for place in [place for place in self._name_of_place if place in text]:
            _LOG.warning(
                "blocks of class %s meet more shapes than are compiled, and run uncompiled, more slowly, in further "
                "ones; give fewer lengths, or set train.compile=false",
                self._name_of_place.pop(place),
            )


_GIVEN_UP = _GivenUp()

import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from helpers.toy_task import ToyConfig, train_toy
from torch import Tensor, nn
from torch._dynamo.utils import counters

from foundation.storage.private_folder import UnsafeFolderError, temporary_folder_of
from models.motion.config import MOTION_DIFFUSION_SIZES
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Dropped, MotionInputs
from models.vae.blocks import ResBlock
from models.vae.vae import VAE_SIZES, Vae
from training.loop.compilation import SHAPES_PER_BLOCK, compile_blocks
from training.loop.loop import TrainError


class Block(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return 2.0 * values


@pytest.fixture(autouse=True)
def _traced_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trace blocks and count their shapes as ever, but run what was traced as it is: generating code takes minutes."""
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="eager"))
    torch._dynamo.reset()
    counters.clear()
    config = torch._dynamo.config
    with config.patch(
        recompile_limit=config.recompile_limit, accumulated_recompile_limit=config.accumulated_recompile_limit
    ):
        yield
    torch._dynamo.reset()


def _all_compiled() -> bool:
    return counters["frames"]["total"] == counters["frames"]["ok"] > 0


def test_every_shape_has_code_of_its_own_and_the_ninth_is_compiled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: set[tuple[int, ...]] = set()

    def compiler(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> torch.fx.GraphModule:
        compiled.update(tuple(values.shape) for values in inputs)
        return graph

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=compiler))
    block = Block()
    compile_blocks([block])
    for length in range(1, 10):
        assert torch.equal(block(torch.ones(4, 25 * length)), torch.full((4, 25 * length), 2.0))
    assert _all_compiled()
    assert compiled == {(4, 25 * length) for length in range(1, 10)}


def test_a_block_that_is_given_up_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    block = Block()
    compile_blocks([block])
    with caplog.at_level(logging.WARNING, logger="training"):
        for length in range(SHAPES_PER_BLOCK):
            block(torch.ones(4, 25 + length))
        assert not caplog.records
        for length in range(3):
            assert torch.equal(block(torch.ones(4, 100 + length)), torch.full((4, 100 + length), 2.0))
    (message,) = [record.getMessage() for record in caplog.records if record.name.startswith("training")]
    assert message.startswith("blocks of class Block meet more shapes than are compiled, and run uncompiled")


def test_a_block_that_cannot_be_compiled_ends_the_run_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_graph: object, _inputs: object) -> NoReturn:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=refuses))
    config = ToyConfig()
    with pytest.raises(TrainError, match=r"cannot compile a block .*no C\+\+ compiler; set train\.compile=false$"):
        train_toy(tmp_path / "run", replace(config, train=replace(config.train, compile=True)))


@pytest.mark.slow
def test_the_motion_model_is_compiled_at_all_lengths_of_short_and_long_clips_and_of_previews() -> None:
    model = MotionDiffusion(replace(MOTION_DIFFUSION_SIZES["tiny"], speech_dim=8, latent_shape=(3, 8, 8)))
    assert model.speech is not None
    compile_blocks([*model.blocks, *model.speech.blocks])

    def run(batch: int, frames: int) -> None:
        inputs = MotionInputs(
            mask_BT=torch.ones(batch, frames, dtype=torch.bool),
            reference_BD=torch.randn(batch, 192),
            speech_BTF=torch.randn(batch, frames, 8),
            pose_deg_BTP=torch.randn(batch, frames, 3),
        )
        model(torch.randn(batch, frames, 192), torch.rand(batch), inputs, Dropped())

    for frames in range(75, 251, 25):
        run(4, frames)
    model.eval()
    with torch.no_grad():
        run(1, 100)
    assert _all_compiled()


@pytest.mark.slow
def test_the_vae_is_compiled_in_training_and_in_previews() -> None:
    vae = Vae(VAE_SIZES["tiny"])
    compile_blocks([module for module in vae.modules() if isinstance(module, ResBlock)])
    image_BCHW = torch.randn(2, 3, 64, 64)
    vae(image_BCHW, image_BCHW, None)
    vae.eval()
    with torch.no_grad():
        for batch in (4, 1):
            vae(image_BCHW[:1].expand(batch, -1, -1, -1), image_BCHW[:1].expand(batch, -1, -1, -1), None)
    assert _all_compiled()


def test_compiled_code_is_kept_where_nobody_else_can_put_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    own = temporary_folder_of("inductor")
    own.symlink_to(tmp_path / "planted")
    (tmp_path / "planted").mkdir()
    with pytest.raises(UnsafeFolderError, match="is a link"):
        compile_blocks([])
    own.unlink()
    compile_blocks([])
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o700

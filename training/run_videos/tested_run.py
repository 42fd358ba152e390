"""A trained run made ready to be tested: its networks, the clips that it may be tested on, and which files they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.devices import resolve_device, torch_device
from foundation.errors import UsageError
from foundation.storage.digest import file_sha256
from foundation.storage.locations import location
from manifests.dataset import Dataset
from models.run_folder import RunFolder
from models.run_networks import RunNetworks, load_networks
from models.sampling.sample_motion import MotionSampling
from training.data.held_out_sources import named_sources
from training.evaluation.protocols.protocol import EvaluationProtocol
from training.run_videos.held_out_clips import HeldOutClips, held_out_clips, read_test_list

__all__ = ["TestedRun", "UnsuitedRunError", "load_tested_run"]


class UnsuitedRunError(UsageError):
    """A run cannot generate what a protocol asks for; the message names the command that trains one that can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestedRun:
    """Everything that the protocols share."""

    __test__ = False  # not for pytest

    folder: RunFolder
    networks: RunNetworks
    sha256: Mapping[str, str]
    """Digests of the weights files, by `vae` and `motion`."""
    sampling: MotionSampling
    """How motion is sampled from speech: as `gaia-generate` does, on the noise schedule of the run."""
    dataset: Dataset
    clips: HeldOutClips

    def require_able(self, name: str, protocol: EvaluationProtocol) -> None:
        """Refuse a protocol that asks for what the run was not trained for.

        Raises:
            UnsuitedRunError: with the command that trains a run for it.
        """
        networks, dataset = self.networks, self.dataset.path
        if protocol.drive == "landmarks" and not networks.vae.config.disentangled:
            raise UnsuitedRunError(
                f"protocol {name} drives a face by landmarks, and the VAE of {networks.label} takes none; train one "
                f"with `gaia-train vae {dataset} --out VAE_RUN --set model.disentangled=true`"
            )
        if protocol.drive == "speech" and networks.motion is None:
            of_vae = f"{dataset} --vae {self.folder.path}"
            raise UnsuitedRunError(
                f"protocol {name} drives a face by speech, and {networks.label} is a run of the VAE alone; train the "
                f"motion network with `gaia-train latents {of_vae}` and "
                f"`gaia-train diffusion {of_vae} --out MOTION_RUN{self._setting()}`"
            )
        if protocol.drive == "speech" and networks.motion is not None and networks.motion.config.condition == "text":
            raise UnsuitedRunError(
                f"protocol {name} drives a face by speech, and {networks.label} was trained on instructions; train one "
                f"with `gaia-train diffusion {dataset} --vae VAE_RUN --out MOTION_RUN`"
            )
        if protocol.drive == "speech":
            self._require_encoder(name)

    def _setting(self) -> str:
        names = named_sources(self.folder.record()) if self.folder.holds(self.folder.run_record) else ()
        return f" --set data.test_sources=[{','.join(names)}]" if names else ""

    def _require_encoder(self, name: str) -> None:
        rows, trained = self.clips.index.rows, self.networks.facts.speech_encoder
        others = sorted({other for other in rows["speech_encoder"].to_pylist() if other not in (None, trained)})
        if others:
            raise UnsuitedRunError(
                f"protocol {name}: {self.networks.label} was trained on speech features of {trained!r}, and clips of "
                f"{self.dataset.path} have those of {', '.join(map(repr, others))}; train a run on this dataset with "
                f"`gaia-train diffusion {self.dataset.path} --vae VAE_RUN --out MOTION_RUN`"
            )


def load_tested_run(
    run: str | Path, dataset: str | Path, *, test_list: str | Path | None = None, device: str = "auto"
) -> TestedRun:
    """Return a run with the clips of a dataset that it may be tested on.

    Args:
        run: folder of a run of `gaia-train vae` or `gaia-train diffusion`.
        dataset: folder or address.
        test_list: file of names of test videos, see `read_test_list`; None: all.
        device: auto, cpu, cuda or cuda:K.

    Raises:
        RunFolderError: the folder is no run, or has no checkpoint yet.
        WeightsError: a file of the networks is damaged.
        HeldOutError: there is no clip to test on.
        UnsuitedRunError: the networks were trained on other landmarks than the dataset has.
        DatasetError: the dataset is damaged.
        DeviceError: the device cannot be used.
    """
    folder, where = RunFolder.of(Path(run)), location(str(dataset))
    opened = Dataset(where)
    names = None if test_list is None else read_test_list(Path(test_list))
    networks = load_networks(folder, torch_device(resolve_device(device)))
    clips = held_out_clips(where, folder, names)
    scheme = networks.facts.landmark_scheme
    if clips.index.landmark_scheme != scheme:
        raise UnsuitedRunError(
            f"{networks.label} was trained on landmarks {scheme!r}, and the clips of {where} have "
            f"{clips.index.landmark_scheme!r}; train a run on this dataset with `gaia-train vae {where} --out VAE_RUN`"
        )
    newest = folder.weights()
    files = {"vae": newest} if networks.motion is None else {"vae": folder.vae, "motion": newest}
    return TestedRun(
        folder=folder,
        networks=networks,
        sha256={name: file_sha256(path) for name, path in files.items()},
        sampling=MotionSampling(sde=networks.sde),
        dataset=opened,
        clips=clips,
    )

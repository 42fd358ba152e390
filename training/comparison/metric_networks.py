"""The networks of the metrics, each loaded when a video first needs it, and which columns cannot be computed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from foundation.devices import resolve_device, torch_device
from foundation.weights import asset_digest
from training.comparison.table_columns import COLUMNS, TABLES, TableName
from training.evaluation.face_models import FaceModels, load_face_models
from training.evaluation.metric_weights import METRIC_ASSETS, WeightedMetric, unavailable_metrics

if TYPE_CHECKING:
    from models.vae.lpips import Lpips
    from training.evaluation.inception import Inception
    from training.evaluation.syncnet import SyncNet

__all__ = ["MetricNetworks"]


class MetricNetworks:
    """Networks by what they measure."""

    def __init__(self, faces: str | FaceModels, device: str) -> None:
        """Find out what is on this machine.

        Args:
            faces: name of a face finder, or models of the caller's own.
            device: `auto`, `cpu`, `cuda` or `cuda:K`.

        Raises:
            UsageError: there is no such face finder.
            DeviceError: the device cannot be used.
        """
        import torch

        self.faces: FaceModels = load_face_models(faces) if isinstance(faces, str) else faces
        self._device = torch.device(torch_device(resolve_device(device)))
        self._missing: Mapping[str, str] = {
            **{str(metric): reason for metric, reason in unavailable_metrics().items()},
            **self.faces.unavailable,
        }
        self._inception: Inception | None = None
        self._lpips: Lpips | None = None
        self._syncnet: SyncNet | None = None

    def unavailable(self, table: TableName) -> dict[str, str]:
        """Return the columns of a table that cannot be computed on this machine, each with the reason."""
        reasons = {key: self._missing.get(COLUMNS[key].part) for key in TABLES[table].all}
        if "landmarks" in self._missing:
            # the crop for SyncNet follows the face
            reasons |= {
                key: self._missing["landmarks"] for key, reason in reasons.items() if key in _SYNC and reason is None
            }
        return {key: reason for key, reason in reasons.items() if reason is not None}

    @property
    def landmarks(self) -> str | None:
        """Face finder and numbering of the landmarks, None where there are none."""
        return f"{self.faces.finder} ({self.faces.scheme})" if "landmarks" in self.faces.shapes else None

    def digest(self, metric: WeightedMetric) -> str:
        """Return the digests of the weights of a metric."""
        return " ".join(asset_digest(name) for name in METRIC_ASSETS[metric])

    def inception(self) -> "Inception":
        """Return the network of FID."""
        from training.evaluation.inception import inception_network

        if self._inception is None:
            self._inception = inception_network(self._device)
        return self._inception

    def lpips(self) -> "Lpips":
        """Return LPIPS on AlexNet, the default of its authors' package."""
        from training.evaluation.perceptual_distance import lpips_network

        if self._lpips is None:
            self._lpips = lpips_network("alexnet", self._device)
        return self._lpips

    def syncnet(self) -> "SyncNet":
        """Return SyncNet."""
        from training.evaluation.syncnet import syncnet

        if self._syncnet is None:
            self._syncnet = syncnet(self._device)
        return self._syncnet


_SYNC = tuple(key for key, column in COLUMNS.items() if column.part == "sync")

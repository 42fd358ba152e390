"""Weights of the metrics that are networks: which files each needs, and loading them.

The files are the user's: the registry (`foundation.weights`) names each with its digest, licence and source, and reads
it from the folder of ``GAIA_MODELS`` or the cache. A metric whose files are missing is not computed; no other network
takes its place.
"""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from foundation.text import count_text
from foundation.weights import AssetError, MissingAssetsError, asset_path, missing_assets
from foundation.weights.safe_load import load_torch_weights

__all__ = ["METRIC_ASSETS", "WeightedMetric", "load_named", "metric_tensors", "unavailable_metrics"]

WeightedMetric = Literal["fid", "lpips_alex", "lpips_vgg", "sync"]
"""A metric that needs weights: FID; LPIPS on AlexNet or VGG-16; Sync-D, Sync-C and the offset."""

METRIC_ASSETS: Mapping[WeightedMetric, tuple[str, ...]] = {
    "fid": ("inception_fid",),
    "lpips_alex": ("alexnet", "lpips_alex"),
    "lpips_vgg": ("vgg16", "lpips_vgg"),
    "sync": ("syncnet_v2",),
}
"""Assets of each metric, in the order in which `metric_tensors` returns their tensors."""


def unavailable_metrics() -> dict[WeightedMetric, str]:
    """Return the metrics that cannot be computed on this machine, each with the reason in a sentence.

    A file that is there but has another digest is a reason as well.
    """
    reasons: dict[WeightedMetric, str] = {}
    for metric, names in METRIC_ASSETS.items():
        try:
            missing = missing_assets(names)
        except AssetError as error:
            reasons[metric] = str(error)
            continue
        if missing:
            files = ", ".join(file.name for asset in missing for file in asset.files)
            pull = " ".join(asset.name for asset in missing)
            reasons[metric] = f"{files} is not on this machine: `gaia-curate models pull {pull}`, or GAIA_MODELS=FOLDER"
    return reasons


def metric_tensors(metric: WeightedMetric) -> list[dict[str, Tensor]]:
    """Return the tensors of each file that a metric needs, in the order of `METRIC_ASSETS`, on the CPU.

    Raises:
        MissingAssetsError: files are not on this machine; the message names each, its licence and its source.
        AssetError: a file has another digest, or holds more than tensors.
    """
    names = METRIC_ASSETS[metric]
    if missing := missing_assets(names):
        way = f"  leave out {metric}: the other metrics need none of these"
        raise MissingAssetsError(missing, {}, (way,))
    return [load_torch_weights(asset_path(name)) for name in names]


def load_named(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load tensors into a network by their names, and put it into evaluation mode.

    Tensors that the network has no place for, such as a classifier's, are left out. Files of early releases of torch
    lack the counters of batch normalisation, which evaluation does not use.

    Raises:
        KeyError: a tensor is missing.
        RuntimeError: a tensor has another shape.
    """
    names = network.state_dict()
    if absent := [name for name in names if name not in tensors and not name.endswith("num_batches_tracked")]:
        raise KeyError(f"{count_text(len(absent), 'tensor is', 'tensors are')} missing, such as {absent[0]}")
    network.load_state_dict({name: tensors[name] for name in names if name in tensors}, strict=False)
    network.eval().requires_grad_(requires_grad=False)

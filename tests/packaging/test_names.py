from importlib.metadata import packages_distributions, version

import pytest

PACKAGES = ("foundation", "manifests", "curation", "models", "training", "generation")


@pytest.mark.parametrize("package", PACKAGES)
def test_top_level_name_belongs_to_this_distribution_alone(package: str) -> None:
    # Plain names such as `models` are easily taken; whoever else installs one overwrites our files.
    assert set(packages_distributions()[package]) == {"gaia-avatar"}


def test_only_one_build_of_opencv_is_installed() -> None:
    # The wheels opencv-python, -contrib-python and -headless all hold cv2/ and overwrite each other's files.
    owners = set(packages_distributions()["cv2"])
    assert {version(owner) for owner in owners} == {version("opencv-contrib-python")}

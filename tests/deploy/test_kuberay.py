"""The manifest for KubeRay has the fields of KubeRay's API (types of v1: RayJob, RayCluster), and a command of ours.

The schema of the operator is a megabyte, most of it Kubernetes' own; what the manifest uses of it is stated here.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from curation.cli.app import app

FIELDS: dict[str, dict[str, type]] = {
    "": {"apiVersion": str, "kind": str, "metadata": dict, "spec": dict},
    "spec": {
        "entrypoint": str,
        "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "backoffLimit": int,
        "rayClusterSpec": dict,
    },
    "spec.rayClusterSpec": {"rayVersion": str, "authOptions": dict, "headGroupSpec": dict, "workerGroupSpecs": list},
    "spec.rayClusterSpec.headGroupSpec": {"rayStartParams": dict, "template": dict},
}
WORKERS = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": dict,
    "template": dict,
}


@pytest.fixture
def manifest(repository: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load((repository / "deploy" / "kuberay" / "curate.yaml").read_text(encoding="utf-8"))


def _agree(found: dict[str, Any], allowed: dict[str, type]) -> None:
    assert {name: type(value) for name, value in found.items()} == {name: allowed.get(name) for name in found}


def test_its_fields_are_those_of_the_api(manifest: Any) -> None:  # noqa: ANN401
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    for path, allowed in FIELDS.items():
        place = manifest
        for name in filter(None, path.split(".")):
            place = place[name]
        _agree(place, allowed)
    cluster = manifest["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    (group,) = cluster["workerGroupSpecs"]
    _agree(group, WORKERS)
    assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for params in (cluster["headGroupSpec"]["rayStartParams"], group["rayStartParams"]):
        assert all(isinstance(value, str) for value in params.values())  # the API has a map of text to text
    for pod in (cluster["headGroupSpec"]["template"], group["template"]):
        assert set(pod["spec"]) == {"securityContext", "containers", "volumes"}
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in pod["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            assert all(isinstance(variable["value"], str) for variable in container["env"])


def test_its_version_of_ray_is_the_locked_one(manifest: Any, repository: Path) -> None:  # noqa: ANN401
    lock = (repository / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"^ray==(.*)$", lock, re.MULTILINE) == [manifest["spec"]["rayClusterSpec"]["rayVersion"]]


def test_its_command_has_options_that_exist(manifest: Any) -> None:  # noqa: ANN401
    program, name, *options = shlex.split(manifest["spec"]["entrypoint"])
    assert (program, name) == ("gaia-curate", "run")
    known = {option for parameter in get_command(app).commands["run"].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert {option for option in options if option.startswith("--")} <= known
    (group,) = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    cores = int(group["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
    assert options[options.index("--workers") + 1] == str(group["replicas"] * cores)

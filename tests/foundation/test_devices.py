import subprocess
import sys

import pytest

from foundation import devices
from foundation.devices import DeviceError, onnx_providers, require_provider, resolve_device, torch_device


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, as far as NVIDIA's driver is concerned."""
    monkeypatch.setattr(devices, "cuda_devices", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_devices", lambda: 0)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_the_cpu_and_no_model_package_is_asked() -> None:
    device = resolve_device("auto")
    assert (str(device), torch_device(device), onnx_providers(device)) == ("cpu", "cpu", ["CPUExecutionProvider"])
    script = (
        "import sys\n"
        "from foundation.devices import onnx_providers, resolve_device, torch_device\n"
        "device = resolve_device('cpu'); torch_device(device); onnx_providers(device)\n"
        "assert not {'torch', 'onnxruntime'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_gpu_that_is_named_and_not_there_is_an_error(name: str) -> None:
    with pytest.raises(DeviceError, match=rf"{name}.*none.*cpu or auto"):
        resolve_device(name)


@pytest.mark.usefixtures("gpus")
def test_a_number_beyond_the_last_gpu_is_an_error_that_says_how_many_there_are() -> None:
    assert [str(resolve_device(name)) for name in ("auto", "cuda", "cuda:1", "cpu")] == [
        "cuda:0",
        "cuda:0",
        "cuda:1",
        "cpu",
    ]
    with pytest.raises(DeviceError, match="numbers 0 to 1"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "CPU", "", "cpu\n"])
def test_a_device_that_is_no_device_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        resolve_device(name)


@pytest.mark.usefixtures("gpus")
def test_onnxruntime_gets_the_gpu_where_it_is_built_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    expected = [("CUDAExecutionProvider", {"device_id": "1"}), "CPUExecutionProvider"]
    assert onnx_providers(resolve_device("cuda:1")) == expected
    assert onnx_providers(resolve_device("cpu")) == ["CPUExecutionProvider"]


@pytest.mark.usefixtures("gpus")
def test_onnxruntime_without_cuda_is_an_error_for_a_named_gpu_and_the_cpu_for_auto(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert onnx_providers(resolve_device("auto")) == ["CPUExecutionProvider"]
    with pytest.raises(DeviceError, match="onnxruntime-gpu"):
        onnx_providers(resolve_device("cuda"))


@pytest.mark.usefixtures("gpus")
def test_torch_gets_the_gpu_where_it_can_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [torch_device(resolve_device(name)) for name in ("auto", "cuda:1")] == ["cuda:0", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device(resolve_device("auto")) == "cpu"
    with pytest.raises(DeviceError, match=f"torch {torch.__version__}".replace("+", r"\+")):
        torch_device(resolve_device("cuda:1"))


@pytest.mark.usefixtures("gpus")
def test_a_session_that_fell_back_to_the_cpu_is_an_error_only_where_the_gpu_was_named() -> None:
    require_provider(["CPUExecutionProvider"], resolve_device("auto"))
    require_provider(["CUDAExecutionProvider", "CPUExecutionProvider"], resolve_device("cuda:1"))
    with pytest.raises(DeviceError, match="cuDNN"):
        require_provider(["CPUExecutionProvider"], resolve_device("cuda:1"))

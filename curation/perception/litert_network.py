"""One LiteRT network on one thread."""

from manifests.arrays import Float32Array

__all__ = ["LiteRtNetwork"]


class LiteRtNetwork:
    """A TensorFlow Lite model with one input."""

    def __init__(self, model: bytes) -> None:
        """Load `model`, the content of a .tflite file."""
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, values: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the model's order, for its one input."""
        self.input()[...] = values
        return self.run()

    def input(self) -> Float32Array:
        """Return the memory of the input, to be written to without a copy between; nobody may hold it during `run`."""
        view: Float32Array = self._input()
        return view

    def run(self) -> list[Float32Array]:
        """Return the outputs, in the model's order, for what was written to its `input`."""
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output) for output in self._outputs]

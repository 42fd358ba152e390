"""Names for the array types that cross module borders; shapes stand in the docstrings that use them."""

import numpy as np
import numpy.typing as npt

__all__ = [
    "BoolArray",
    "Complex64Array",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "Int8Array",
    "Int32Array",
    "Int64Array",
    "RgbImage",
    "UInt8Array",
]

BoolArray = npt.NDArray[np.bool_]

Complex64Array = npt.NDArray[np.complex64]

Float16Array = npt.NDArray[np.float16]

Float32Array = npt.NDArray[np.float32]

Float64Array = npt.NDArray[np.float64]

Int8Array = npt.NDArray[np.int8]

Int32Array = npt.NDArray[np.int32]

Int64Array = npt.NDArray[np.int64]

UInt8Array = npt.NDArray[np.uint8]

RgbImage = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, row 0 at the top. The centre of the top left pixel is at (0.5, 0.5)."""

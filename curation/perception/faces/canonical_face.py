"""The canonical 3D face of a MediaPipe landmarker bundle, and the rotation of a head against it.

The bundle's `geometry_pipeline_metadata_landmarks.binarypb` is a Protocol Buffers message; the two of its fields that
are needed are read here from the wire format, whose definition is short, instead of through generated classes.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from foundation.array_types import Float64Array, Int64Array

__all__ = ["CanonicalFace", "head_rotation", "read_canonical_face"]

_N_VERTICES = 468

_VERTEX_FLOATS = 5  # x, y, z and two texture coordinates


@dataclass(frozen=True, kw_only=True, slots=True)
class CanonicalFace:
    """The points of a neutral face that hold still when it moves."""

    indices: Int64Array
    """(B,) their landmark indices."""
    levers: Float64Array
    """(B, 3) how far each lies from their middle, x to the image's right, y up, z towards the camera, about
    centimetres, times its share in the alignment."""


def read_canonical_face(message: bytes) -> CanonicalFace:
    """Return the canonical face in a GeometryPipelineMetadata message.

    Raises:
        ValueError: the message does not hold a mesh of 468 points and the points to align.
    """
    mesh, basis = b"", []
    for field, value in _fields(message):
        if field == 1:
            mesh = value
        elif field == 2:
            entry = dict(_fields(value))
            basis.append((_varint(entry[1], 0)[0], struct.unpack("<f", entry[2])[0]))
    vertices = np.frombuffer(b"".join(value for field, value in _fields(mesh) if field == 3), "<f4")
    if len(vertices) != _N_VERTICES * _VERTEX_FLOATS or not basis:
        raise ValueError(
            f"the landmarker's face geometry holds {len(vertices)} numbers and {len(basis)} points to align;"
            f" {_N_VERTICES * _VERTEX_FLOATS} numbers are known how to read: take another face_landmarker.task"
        )
    indices = np.array([index for index, _ in basis], np.int64)
    points = vertices.reshape(_N_VERTICES, _VERTEX_FLOATS)[indices, :3].astype(np.float64)
    shares = np.array([weight for _, weight in basis])
    shares /= shares.sum()
    return CanonicalFace(indices=indices, levers=(points - shares @ points) * shares[:, None])


def head_rotation(landmarks: Float64Array, face: CanonicalFace) -> Float64Array:
    """Return the (3, 3) rotation that brings the canonical face closest to `landmarks`, by weighted least squares.

    Args:
        landmarks: (478, 3) x to the right, y up, z towards the camera, in one unit.
    """
    # the levers sum to nothing, so that it does not matter where the landmarks are
    left, _, right = np.linalg.svd(landmarks[face.indices].T @ face.levers)
    rotation: Float64Array = left @ right
    if np.linalg.det(rotation) < 0:  # a reflection would fit a face seen inside out
        left[:, 2] *= -1.0
        rotation = left @ right
    return rotation


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and raw value of each field; of a varint its own bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire_type = key & 7
        if wire_type == 0:
            end = _varint(message, at)[1]
        elif wire_type == 2:
            length, at = _varint(message, at)
            end = at + length
        elif wire_type in (1, 5):
            end = at + (8 if wire_type == 1 else 4)
        else:
            raise ValueError(f"the landmarker's face geometry has wire type {wire_type} at byte {at}: a damaged file")
        yield key >> 3, message[at:end]
        at = end


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at byte `at`, and where the next byte is."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at

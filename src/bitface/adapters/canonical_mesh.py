"""Reads MediaPipe's canonical face mesh, so that figures can show locations without showing a person."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import IntegrityError

_MEMBER: Final = "geometry_pipeline_metadata_landmarks.binarypb"
_BYTES_MAX: Final = 1 << 20
_VERTICES: Final = 468
_TRIANGLES: Final = 898
_IRIS_POINTS: Final = 5
# Fields of MediaPipe's messages (face_geometry/proto: geometry_pipeline_metadata.proto, mesh_3d.proto).
_CANONICAL_MESH, _VERTEX_BUFFER, _INDEX_BUFFER = 1, 3, 4
_FLOATS_PER_VERTEX: Final = 5
_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
# The mesh's eyes are holes: outer and inner corner, upper and lower lid of each, in the iris points' order.
_EYES: Final = ((33, 133, 159, 145), (263, 362, 386, 374))


@dataclass(frozen=True, kw_only=True)
class CanonicalMesh:
    """`vertices` float32 (478, 3), centimetres, x to the right of the picture, y up, z towards the viewer.

    The ten iris points stand at the eye centres. `triangles` int64 (898, 3), indices of the first 468 vertices.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int64]


def read_canonical_mesh(bundle: Path) -> CanonicalMesh:
    """The canonical face mesh inside `face_landmarker.task`, a zip archive.

    Raises:
        IntegrityError: the file is not such a bundle, or its mesh is not one of 468 vertices and 898 triangles.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            if archive.getinfo(_MEMBER).file_size > _BYTES_MAX:
                raise IntegrityError(f"the mesh in {bundle.name} is over {_BYTES_MAX} bytes; fetch the bundle again")
            document = archive.read(_MEMBER)
        mesh = next(bytes(value) for field, value in _fields(document) if field == _CANONICAL_MESH)
        return _mesh(mesh)
    except (zipfile.BadZipFile, KeyError, IndexError, StopIteration, ValueError, TypeError, OSError) as error:
        raise IntegrityError(
            f"{bundle.name} does not contain a canonical face mesh ({type(error).__name__}); fetch the face model again"
        ) from error


def _mesh(message: bytes) -> CanonicalMesh:
    floats, indices = bytearray(), []
    for field, value in _fields(message):
        if field == _VERTEX_BUFFER and not isinstance(value, int):
            floats += value
        elif field == _INDEX_BUFFER and isinstance(value, int):
            indices.append(value)
    # Each vertex is x, y, z and two texture coordinates.
    vertices = np.frombuffer(bytes(floats), dtype="<f4").reshape(-1, _FLOATS_PER_VERTEX)[:, :3].astype(np.float32)
    triangles = np.array(indices, dtype=np.int64).reshape(-1, 3)
    if len(vertices) != _VERTICES or len(triangles) != _TRIANGLES or not np.isfinite(vertices).all():
        raise ValueError(f"{len(vertices)} vertices and {len(triangles)} triangles")
    if triangles.min() < 0 or triangles.max() >= _VERTICES:
        raise ValueError("a triangle refers to a missing vertex")
    irises = [np.tile(vertices[list(around)].mean(axis=0), (_IRIS_POINTS, 1)) for around in _EYES]
    return CanonicalMesh(vertices=np.concatenate([vertices, *irises]), triangles=triangles)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a protocol buffer, unpacked by the wire format alone: no generated code is needed."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield field, number
            continue
        if kind == _LENGTH_DELIMITED:
            size, at = _varint(message, at)
        elif kind in (_FOUR_BYTES, _EIGHT_BYTES):
            size = 4 if kind == _FOUR_BYTES else 8
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("a field is cut off")
        yield field, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        number, at, shift = number | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return number, at
        if shift > 63:
            raise ValueError("a number is over 64 bits")

"""Packs the points of one sample into bytes that are the same each time, to be encrypted in a shard as a picture is."""

from __future__ import annotations

import json
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bitface.errors import InputError
from bitface.faces.media.clip_limits import FRAMES_MAX
from bitface.faces.points import SCHEMES, FacePoints

_ABOUT: Final = "points"
_HEADER_BYTES: Final = 8
_BROKEN: Final = "a sample's bytes are no points of a face; `bitface doctor` says how to restore it"


def pack_points(points: FacePoints) -> bytes:
    """A safetensors file: `landmarks` float32 (T, P, 3) of the scheme's points, `eye_distance_px` float32 (T,), scheme and tool."""
    about = {"scheme": points.scheme.name, "points": len(points.scheme.mesh), "tool": points.tool}
    arrays = {
        "landmarks": np.ascontiguousarray(points.points, dtype=np.float32),
        "eye_distance_px": points.eye_distance_px.astype(np.float32),
    }
    # One entry: of several the format keeps no order.
    return save(arrays, {_ABOUT: json.dumps(about, sort_keys=True)})


def unpack_points(data: bytes) -> FacePoints:
    """The points that `pack_points` packed. Raises InputError where they are not."""
    try:
        header = json.loads(data[_HEADER_BYTES : _HEADER_BYTES + int.from_bytes(data[:_HEADER_BYTES], "little")])
        about = json.loads(header["__metadata__"][_ABOUT])
        scheme, arrays = SCHEMES[about["scheme"]], load(data)
        landmarks, distances = arrays["landmarks"], arrays["eye_distance_px"]
        frames = len(distances)
        if landmarks.shape != (frames, len(scheme.mesh), 3) or not 1 <= frames <= FRAMES_MAX:
            raise InputError(_BROKEN)
        if not (np.isfinite(landmarks).all() and np.isfinite(distances).all()):
            raise InputError(_BROKEN)
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(_BROKEN) from error
    return FacePoints(
        scheme=scheme,
        tool=str(about["tool"]),
        points=landmarks.astype(np.float32),
        eye_distance_px=distances.astype(np.float32),
    )

"""Says whether a face can be read in a sample, and if not, why: a bad picture must not become a bad label."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.alignment import eye_distance, yaw_deg
from bitface.params import QualityParams

QUALITY_COLUMNS: Final = ("faces", "eye_distance_px", "sharpness", "brightness", "yaw_deg")
"""Faces found; eye distance in pixels of the original image, a tight crop enlarged to 100 px (`tight_crops`);
sharpness, see `sharpness`; mean grey level of the inner face (0 to 255); and head turn in degrees (0 faces the camera)."""

POINT_COLUMNS: Final = ("faces", "eye_distance_px", "yaw_deg")
"""Those that are measured of points without their picture; the turn of the head only where the points have depth."""
NOT_MEASURED: Final = float("nan")
"""Stands in a row of points that came without their picture for what only a picture shows."""
_MID_GREY: Final = 127.5
# Of an aligned crop, from the brows to the chin: what lies behind a person must not make the face bright or sharp.
_INNER_FACE: Final = (..., slice(8, 58), slice(10, 54))
# Least grey variance to divide by: a flat crop has no edge to be sharp, and its rounding noise must not look like one.
_FLAT: Final = 1.0


def frame_quality(
    faces: NDArray[np.int64], raw: NDArray[np.float32], crops: NDArray[np.uint8], enlarged: float = 1.0
) -> NDArray[np.float32]:
    """Measures T frames.

    Args:
        faces: int64 (T,), faces found in each frame.
        raw: float32 (T, 478, 3), landmarks in pixels of the original image, zeros where no face was found.
        crops: uint8 (T, 64, 64), aligned grey crops.
        enlarged: by how much, for lengths, the image is taken to be larger than it is: `tight_crops.enlargement`.

    Returns:
        float32 (T, 5), columns as QUALITY_COLUMNS.
    """
    return np.stack(
        [
            faces.astype(np.float32),
            (eye_distance(raw) * enlarged).astype(np.float32),
            sharpness(crops),
            crops[_INNER_FACE].mean(axis=(-2, -1), dtype=np.float64).astype(np.float32),
            yaw_deg(raw),
        ],
        axis=-1,
    )


def sharpness(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Variance of the 4-neighbour Laplacian over variance of the grey level, in the inner face; float32 (...,).

    Args:
        crops: uint8 (..., 64, 64), aligned grey crops.

    The variance of the Laplacian (Pech-Pacheco et al., 2000) grows with the square of contrast, so that alone it calls
    dim pictures and dark skin blurred; the ratio does not change when light or skin scales all grey levels alike. About
    0.6 to 0.8 for a sharp portrait, 0.2 when blurred by 3 % of the eye distance, 0.1 by 5 %; 0 for a flat crop.
    """
    face = crops[_INNER_FACE].astype(np.float64)
    around = face[..., :-2, 1:-1] + face[..., 2:, 1:-1] + face[..., 1:-1, :-2] + face[..., 1:-1, 2:]
    edges = (around - 4 * face[..., 1:-1, 1:-1]).var(axis=(-2, -1))
    return np.asarray(edges / np.maximum(face.var(axis=(-2, -1)), _FLAT), dtype=np.float32)


def worst_frame(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The worst value of each column over T frames, (T, 5) -> (5,): one bad frame spoils a clip.

    Worst is: no face before too many; the least eye distance and sharpness; the brightness farthest from mid-grey; the
    largest turn, sign kept.

    Raises:
        InputError: there is no frame, or a row does not have the columns of QUALITY_COLUMNS.
    """
    if rows.ndim != 2 or rows.shape[1] != len(QUALITY_COLUMNS) or not len(rows):
        raise InputError(f"quality rows of shape {rows.shape} are not (at least 1, {len(QUALITY_COLUMNS)})")
    faces, distance, sharp, brightness, yaw = rows.T
    return np.array(
        [
            faces.min() if faces.min() < 1 else faces.max(),
            distance.min(),
            sharp.min(),
            brightness[np.abs(brightness - _MID_GREY).argmax()],
            yaw[np.abs(yaw).argmax()],
        ],
        dtype=np.float32,
    )


def limits_missed(rows: NDArray[np.float32], params: QualityParams) -> tuple[str, ...]:
    """Which limits samples miss, the most frequent first: each with the share, the median of who has a face, and the parameter.

    Args:
        rows: float32 (N, 5), columns as QUALITY_COLUMNS, N at least 1.
        params: the limits, as in `quality_reasons`.
    """
    seen = rows[:, 0] >= 1
    faces, distance, sharp, brightness, yaw = rows[seen].T.astype(np.float64)
    missed = (
        ("eye distance under {} px", "eye_distance_px_min", distance, distance < params.eye_distance_px_min),
        ("sharpness under {}", "sharpness_min", sharp, sharp < params.sharpness_min),
        ("brightness under {}", "brightness_min", brightness, brightness < params.brightness_min),
        ("brightness over {}", "brightness_max", brightness, brightness > params.brightness_max),
        ("head turned over {} degrees", "yaw_deg_max", np.abs(yaw), np.abs(yaw) > params.yaw_deg_max),
        ("more than {} face", "faces", faces, faces > params.faces),
    )
    found = [(int((~seen).sum()), "no face found")] if not seen.all() else []
    for words, name, values, is_missed in missed:
        if is_missed.any():
            limit = f"{getattr(params, name):g}"
            said = f"{words.format(limit)} (quality.{name}; median {np.median(values):.3g})"
            found.append((int(is_missed.sum()), said))
    return tuple(f"{count / len(rows):.0%} {said}" for count, said in sorted(found, key=lambda one: -one[0]))


def quality_reasons(
    row: Sequence[float] | NDArray[np.float32], params: QualityParams, are_points: bool = False
) -> tuple[str, ...]:
    """Why a sample cannot be used, in words with the value and the limit; empty when it can.

    Args:
        row: five values, columns as QUALITY_COLUMNS, of a frame or of a sample's worst frame.
        params: the limits; a value on a limit is admitted, and NaN never is, but of points alone.
        are_points: whether the sample is points that came without their picture: what is `NOT_MEASURED` of it, other than faces and
            their size, is not judged.

    Raises:
        InputError: the row does not have the columns of QUALITY_COLUMNS.
    """
    if len(row) != len(QUALITY_COLUMNS):
        raise InputError(f"a quality row has {len(row)} values; it must have {len(QUALITY_COLUMNS)}")
    faces, distance, sharp, brightness, yaw = (float(value) for value in row)
    if not faces >= 1:
        # The other columns of a frame without a face measure nothing; naming them would only confuse.
        return ("no face found",)

    def fits(value: float, holds: bool) -> bool:
        return holds or (are_points and isnan(value))

    checks = (
        (faces == params.faces, f"{faces:.0f} faces found, exactly {params.faces} is needed"),
        (
            distance >= params.eye_distance_px_min,
            f"eye distance {distance:.1f} px under {params.eye_distance_px_min:g}",
        ),
        (fits(sharp, sharp >= params.sharpness_min), f"sharpness {sharp:.3f} under {params.sharpness_min:g}"),
        (
            fits(brightness, brightness >= params.brightness_min),
            f"brightness {brightness:.0f} under {params.brightness_min:g}",
        ),
        (
            fits(brightness, brightness <= params.brightness_max),
            f"brightness {brightness:.0f} over {params.brightness_max:g}",
        ),
        (fits(yaw, abs(yaw) <= params.yaw_deg_max), f"head turned {abs(yaw):.0f} degrees, over {params.yaw_deg_max:g}"),
    )
    return tuple(reason for holds, reason in checks if not holds)

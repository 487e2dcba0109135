"""MediaPipe's detector, mesh and blendshapes one by one, run by OpenVINO: the landmarker gives none of them alone, and no score."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.face_networks.picture_regions import Points, Region, cut
from bitface.errors import InputError
from bitface.faces.features import BLENDSHAPES, LANDMARKS

if TYPE_CHECKING:
    from openvino import InferRequest

# One thread: processes share the cores. In bfloat16 a mesh would move by 0.3 % of the eye distance.
_SETTINGS: Final = {"INFERENCE_NUM_THREADS": "1", "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"}
_SHAPES: Final = {
    "face_detector.tflite": (1, 128, 128, 3),
    "face_landmarks_detector.tflite": (1, 256, 256, 3),
    "face_blendshapes.tflite": (1, 146, 2),
}
# From here on MediaPipe's graphs (Apache-2.0, mediapipe/tasks/cc/vision): anchors by cells of a side and how many each has, which key
# points of a detection are the eyes, how much around a box is looked at, and which landmarks the blendshapes are made from.
_ANCHORS: Final = ((16, 2), (8, 6))
_BOX_CENTRE, _BOX_SIZE, _RIGHT_EYE, _LEFT_EYE = 0, 1, 2, 3
_AROUND: Final = 1.5
# fmt: off
_READ_BY_BLENDSHAPES: Final = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81, 82,
    84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157,
    158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270,
    276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334,
    336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398,
    400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)
# fmt: on


class FaceNetworks:
    """The networks of a checked `face_landmarker.task`. Use them from one thread."""

    def __init__(self, bundle: Path) -> None:
        """Compiles them, each for one picture.

        Raises:
            InputError: the bundle does not hold them.
        """
        self._detector, self._mesh, self._blendshapes = (_compiled(bundle, name) for name in _SHAPES)
        self._anchors = _anchors()

    def proposals(self, picture: NDArray[np.uint8], around: Region, score_min: float) -> list[tuple[float, Region]]:
        """Where, in a square of a picture, the detector sees a face: its score and the region for the mesh, the likeliest first.

        What of the square lies outside the picture is filled with the pixels at its edge.
        """
        size, (boxes, likely) = _SHAPES["face_detector.tflite"][1], self._detected(picture, around)
        order = [int(index) for index in np.argsort(-likely, kind="stable") if likely[index] >= score_min]
        found: list[tuple[float, Region]] = []
        for index in order:
            region = self._region(boxes[index], index, around, size)
            if all(not region.is_like(other) for _, other in found):
                found.append((float(likely[index]), region))
        return found

    def apart(self, picture: NDArray[np.uint8], around: Region, score_min: float) -> list[tuple[float, Region]]:
        """As `proposals`: the likeliest, whatever its score, and others from a score on, each beside those before it."""
        size, (boxes, likely) = _SHAPES["face_detector.tflite"][1], self._detected(picture, around)
        centres, sides = boxes[:, :2] / size + self._anchors, _AROUND * boxes[:, 2:4].max(axis=1) / size
        found, index = [], int(likely.argmax())
        left = likely >= score_min
        while index >= 0:
            found.append((float(likely[index]), self._region(boxes[index], index, around, size)))
            away = np.linalg.norm(centres - centres[index], axis=1)
            left &= away > np.maximum(sides, sides[index]) / 2
            index = int(np.where(left, likely, -1).argmax()) if left.any() else -1
        return found

    def _detected(self, picture: NDArray[np.uint8], around: Region) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
        """All boxes of the detector and how likely each is."""
        size = _SHAPES["face_detector.tflite"][1]
        boxes, scores = self._run(self._detector, cut(picture, around, size) / np.float32(127.5) - 1, (16, 1))
        return boxes, np.asarray(1 / (1 + np.exp(-np.clip(scores[:, 0], -80, 80))))

    def mesh(self, picture: NDArray[np.uint8], region: Region) -> tuple[Points, float]:
        """Landmarks float32 (478, 3) in pixels of the picture, and the network's own score that a face is there, 0 to 1."""
        size = _SHAPES["face_landmarks_detector.tflite"][1]
        points, score = self._run(self._mesh, cut(picture, region, size) / np.float32(255), (LANDMARKS * 3, 1))
        places, scale = region.places(size), region.side / size
        in_look = points.reshape(LANDMARKS, 3).astype(np.float64)
        flat = in_look[:, :2] @ places[:, :2].T + places[:, 2]
        found = np.column_stack([flat, in_look[:, 2] * scale]).astype(np.float32)
        return found, float(1 / (1 + np.exp(-score[0, 0])))

    def blendshapes(self, points: Points) -> NDArray[np.float32]:
        """Float32 (52,) in 0..1, of landmarks (478, 3) in pixels."""
        read = np.ascontiguousarray(points[list(_READ_BY_BLENDSHAPES), :2], dtype=np.float32)
        return np.array(next(iter(self._blendshapes.infer([read[None]]).values())), np.float32).reshape(BLENDSHAPES)

    def _region(self, box: NDArray[np.float32], index: int, around: Region, size: int) -> Region:
        points = box.reshape(8, 2) / size
        points = points + np.where(np.arange(8)[:, None] == _BOX_SIZE, 0, self._anchors[index])
        places = around.places(1)
        centre, right, left = (places[:, :2] @ points[at] + places[:, 2] for at in (_BOX_CENTRE, _RIGHT_EYE, _LEFT_EYE))
        across = left - right
        return Region(
            x=float(centre[0]),
            y=float(centre[1]),
            side=_AROUND * around.side * float(points[_BOX_SIZE].max()),
            tilt=float(np.arctan2(across[1], across[0])),
        )

    @staticmethod
    def _run(
        network: InferRequest, look: NDArray[np.float32], widths: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The two outputs that have these widths, as (rows, width)."""
        outputs = [np.array(found) for found in network.infer([look[None]]).values()]
        first, second = (next(one for one in outputs if one.shape[-1] == width) for width in widths)
        return first.reshape(-1, widths[0]), second.reshape(-1, widths[1])


def _compiled(bundle: Path, name: str) -> InferRequest:
    import openvino

    try:
        with zipfile.ZipFile(bundle) as archive, TemporaryDirectory() as folder:
            # OpenVINO reads this format from a path alone; what lies there for a moment is a published model.
            path = Path(archive.extract(name, folder))
            model = openvino.Core().read_model(path)
            model.reshape(list(_SHAPES[name]))
            return openvino.Core().compile_model(model, "CPU", _SETTINGS).create_infer_request()
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError) as error:
        raise InputError(
            f"'{bundle.name}' holds no {name} that can be read; delete it and run `bitface doctor`"
        ) from error


def _anchors() -> NDArray[np.float64]:
    """Centres of the detector's boxes as shares of its side, (896, 2)."""
    parts = []
    for cells, each in _ANCHORS:
        rows, columns = np.mgrid[0:cells, 0:cells]
        centres = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / cells
        parts.append(np.repeat(centres, each, axis=0))
    return np.concatenate(parts)

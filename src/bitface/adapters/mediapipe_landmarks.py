"""Sees faces with MediaPipe's FaceLandmarker: 478 points and 52 blendshapes of each face, as our own arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitface.adapters.terminal.native_chatter import without_chatter
from bitface.errors import InputError
from bitface.faces import scenes
from bitface.faces.alignment import aligned_crop, eye_distance, normalise_landmarks
from bitface.faces.features import BLENDSHAPES, LANDMARKS
from bitface.faces.quality import frame_quality
from bitface.faces.seen import NOTHING_SEEN, SeenFace, SeenFaces
from bitface.faces.tight_crops import enlargement
from bitface.params import FeatureParams
from bitface.unneeded_modules import without_modules

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision import FaceLandmarker

    from bitface.adapters.face_networks import FaceNetworks
    from bitface.adapters.face_networks.picture_regions import Region

_Found = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Landmarks (478, 3) in pixels of the whole picture, and blendshapes (52,)."""
# What the native library says at every start whatever the input, and no environment variable turns off.
_START_UP_CHATTER: Final = (
    b"Logging before InitGoogle",
    b"FaceBlendshapesGraph acceleration to xnnpack",
    b"Created TensorFlow Lite XNNPACK delegate",
    b"Feedback manager requires a model with a single signature",
)
# The detector itself sees 128 px: more than this only costs memory, 190 MB for a padded picture of 25 megapixels.
_SIDE_PX_MAX: Final = 2048


class FaceLandmarks:
    """A landmarker in image mode: each frame is judged alone, so a frame's numbers do not depend on its neighbours.

    Open one per thread, and close it (it is a context manager): left to the garbage collector it can hang at exit.
    """

    def __init__(self, model: Path, faces_max: int = 2) -> None:
        """Opens the landmarker.

        Args:
            model: the file `face_landmarker.task`, already checked (`model_assets`).
            faces_max: faces looked for in a picture; 2 are enough to see that there is more than one.

        Raises:
            InputError: the file is missing, or MediaPipe cannot load it.
        """
        if not model.is_file():
            raise InputError(f"face model not found at '{model.name}'; run `bitface doctor`")
        self._model, self._faces_max = model, faces_max
        self._landmarker = _open_landmarker(model, faces_max)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the native threads; the object cannot be used afterwards. Idempotent."""
        landmarker, self._landmarker = self._landmarker, None
        if landmarker is not None:
            landmarker.close()

    def see(self, frames: NDArray[np.uint8], params: FeatureParams) -> SeenFaces:
        """The largest face of each frame.

        Args:
            frames: uint8 (T, H, W, 3) RGB, T at least 1.
            params: how small images are enlarged and padded before detection.

        Raises:
            InputError: the frames have another shape or type, or there is none.
        """
        if frames.ndim != 4 or not len(frames):
            raise InputError(f"frames of shape {frames.shape} are not (at least 1, height, width, 3)")
        found = [_faces(frame, self._look(frame, params)) for frame in frames]
        largest = [faces[0] if faces else NOTHING_SEEN for faces in found]
        return SeenFaces(
            faces=np.array([len(faces) for faces in found], np.int64),
            landmarks=np.stack([face.landmarks for face in largest]),
            blendshapes=np.stack([face.blendshapes for face in largest]),
            normalised=np.stack([face.normalised for face in largest]),
            crops=np.stack([face.crop for face in largest]),
            quality=np.stack([face.quality for face in largest]),
        )

    def see_all(self, image: NDArray[np.uint8], params: FeatureParams) -> tuple[SeenFace, ...]:
        """All faces of a picture, uint8 (H, W, 3) RGB, largest first, `faces_max` at most.

        A portrait is looked at as by `see`. Where no face fills two fifths of the longer side, smaller ones are looked for as
        well: in all of it, and beside none of a quarter in tiles, so that a head of a fortieth is found; see `faces.scenes`.

        Raises:
            InputError: the picture has another shape or type.
        """
        found = self._look(image, params)
        height, width = image.shape[:2]
        share = scenes.largest_share([landmarks for landmarks, _ in found], height, width)
        if not scenes.is_portrait(share) and not scenes.is_tight_crop(height, width):
            # Where nothing was found, the whole has been looked at without a border already.
            found += self._detect(image, params, 0.0) if found else []
            found += self._look_in_tiles(image, params, share)
        kept = scenes.distinct([landmarks for landmarks, _ in found])
        return _faces(image, [found[index] for index in kept[: self._faces_max]])

    def _look(self, image: NDArray[np.uint8], params: FeatureParams) -> list[_Found]:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(f"a picture of {image.dtype} {image.shape} is not uint8 (height, width, 3)")
        if scenes.is_tight_crop(*image.shape[:2]):
            return self._look_closely(image)
        # Padding finds faces that fill their picture and loses those under a quarter of it: these get a second look.
        return self._detect(image, params, params.pad_share) or self._detect(image, params, 0.0)

    def _opened(self) -> FaceLandmarker:
        if self._landmarker is None:
            raise InputError("the face landmarker is closed; open a new one")
        return self._landmarker

    def _look_closely(self, image: NDArray[np.uint8]) -> list[_Found]:
        """The face of a picture that is all face, by the networks alone: the landmarker misses one in eight, and sees some in textures."""
        from bitface.adapters.face_networks.tight_face import find_tight_faces

        self._opened()
        found = find_tight_faces(self._networks, image)[: self._faces_max]
        return [(points, self._networks.blendshapes(points)) for points in found]

    @cached_property
    def _networks(self) -> FaceNetworks:
        from bitface.adapters.face_networks import FaceNetworks

        return FaceNetworks(self._model)

    def _look_in_tiles(self, image: NDArray[np.uint8], params: FeatureParams, share: float) -> list[_Found]:
        """Faces that the detector proposes in tiles, and that are then seen in their own surroundings: tiles cut faces, and some of what
        looks like one in a tile is none.
        """
        from bitface.adapters.face_networks.tiles import proposed_in_tiles

        proposed = proposed_in_tiles(self._networks, image, share)
        return [found for region in proposed[: 2 * self._faces_max] for found in self._seen_at(image, region, params)]

    def _seen_at(self, image: NDArray[np.uint8], region: Region, params: FeatureParams) -> list[_Found]:
        from bitface.adapters.face_networks.close_look import find_face_at

        looked = self._detect_in(image, region.surroundings(*image.shape[:2]), params, params.pad_share)
        inside = [found for found in looked if region.has_in_its_middle(found[0])]
        points = None if inside else find_face_at(self._networks, image, region)
        return inside[:1] if points is None else [(points, self._networks.blendshapes(points))]

    def _detect_in(
        self, image: NDArray[np.uint8], part: scenes.Box, params: FeatureParams, pad_share: float
    ) -> list[_Found]:
        left, top, right, bottom = part
        shift = np.array([left, top, 0], np.float32)
        found = self._detect(np.ascontiguousarray(image[top:bottom, left:right]), params, pad_share)
        return [(landmarks + shift, blendshapes) for landmarks, blendshapes in found]

    def _detect(self, image: NDArray[np.uint8], params: FeatureParams, pad_share: float) -> list[_Found]:
        from mediapipe import Image as MediaPipeImage
        from mediapipe import ImageFormat

        landmarker = self._opened()
        prepared, scale, border = _prepared(image, params.upscale_below_px, pad_share)
        try:
            result = landmarker.detect(MediaPipeImage(image_format=ImageFormat.SRGB, data=prepared))
        except (RuntimeError, ValueError) as error:
            raise InputError("MediaPipe failed on this picture; export it again") from error
        height, width = prepared.shape[:2]
        # z is in widths of the prepared image, like x; the border shifts x and y, and no border lies in depth.
        unit, shift = np.array([width, height, width]), np.array([border, border, 0])
        return [
            (((_points(points) * unit - shift) / scale).astype(np.float32), _scores(scores))
            for points, scores in zip(result.face_landmarks, result.face_blendshapes, strict=True)
        ]


def _open_landmarker(model: Path, faces_max: int) -> FaceLandmarker | None:
    # Its drawing and its microphone are not used here.
    with without_modules("matplotlib", "matplotlib.pyplot", "sounddevice"):
        from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        # As bytes, so that an odd path is never interpreted by native code.
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        num_faces=faces_max,
        output_face_blendshapes=True,
    )
    try:
        with without_chatter(*_START_UP_CHATTER):
            return vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"MediaPipe cannot load '{model.name}'; delete it and run `bitface doctor`") from error


def _prepared(
    image: NDArray[np.uint8], upscale_below_px: int, pad_share: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64], int]:
    """The image brought to a fit size and padded for the detector, which misses faces that fill their picture.

    Returns the prepared image, its scale per axis (x, y, z) and its border in prepared pixels.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    wanted = max(1.0, upscale_below_px / longest) * min(1.0, _SIDE_PX_MAX / longest)
    size = (max(1, round(width * wanted)), max(1, round(height * wanted)))
    if size != (width, height):
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    border = round(pad_share * max(size))
    padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="edge")
    scale = np.array([size[0] / width, size[1] / height, size[0] / width])
    return np.ascontiguousarray(padded), scale, border


def _points(points: list[Any]) -> NDArray[np.float64]:
    array = np.array([(point.x, point.y, point.z) for point in points], np.float64)
    if array.shape != (LANDMARKS, 3):
        raise InputError(f"the face model gives {len(array)} points, not {LANDMARKS}; use face_landmarker.task")
    return array


def _scores(categories: list[Any]) -> NDArray[np.float32]:
    array = np.array([category.score for category in categories], np.float32)
    if array.shape != (BLENDSHAPES,):
        raise InputError(f"the face model gives {len(array)} blendshapes, not {BLENDSHAPES}; use face_landmarker.task")
    return array


def _faces(image: NDArray[np.uint8], found: Sequence[_Found]) -> tuple[SeenFace, ...]:
    """What was found, larger first."""
    ordered = sorted(found, key=lambda face: -float(eye_distance(face[0])))
    return tuple(_face(image, landmarks, blendshapes, len(found)) for landmarks, blendshapes in ordered)


def _face(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], blendshapes: NDArray[np.float32], faces: int
) -> SeenFace:
    height, width = image.shape[:2]
    crop = aligned_crop(image, landmarks)
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    return SeenFace(
        box=np.clip(np.concatenate([low, high]), 0, [width, height, width, height]).astype(np.float32),
        landmarks=landmarks,
        blendshapes=blendshapes,
        normalised=normalise_landmarks(landmarks),
        crop=crop,
        quality=frame_quality(np.array([faces]), landmarks[None], crop[None], enlargement(height, width))[0],
    )

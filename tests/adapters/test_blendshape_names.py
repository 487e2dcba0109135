"""Our names of blendshape columns are MediaPipe's own, in its order."""

from __future__ import annotations

from mediapipe.tasks.python.vision import face_landmarker

from bitface.faces.blendshapes import BLENDSHAPE_NAMES


def test_names_stand_in_the_landmarkers_order() -> None:
    theirs = [shape.name.replace("_", "").lower() for shape in face_landmarker.Blendshapes]
    assert [name.strip("_").lower() for name in BLENDSHAPE_NAMES] == theirs

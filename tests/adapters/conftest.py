"""Real files that tests of adapters share; where one cannot be had, the test is skipped with the reason."""

import os
from pathlib import Path

import pytest

from bitface.adapters.model_assets import face_landmarker
from bitface.errors import InputError
from bitface.workspace import open_workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def landmarker_file():
    """The checked face model, fetched once into the user's cache."""
    try:
        return face_landmarker(open_workspace(os.environ, ROOT).cache, os.environ).path
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def london_images():
    """Pictures of the Face Research Lab London Set, sorted by name."""
    shared = Path(os.environ.get("BITFACE_SHARED_DATA") or ROOT.parent / "shared" / "data")
    images = sorted((shared / "london" / "images").glob("*.jpg"))
    if not images:
        pytest.skip("the London set is not here; set BITFACE_SHARED_DATA to the folder that holds `london/`")
    return images

"""The canonical mesh: read from the real bundle, symmetric, upright, and refused when it is anything else."""

import zipfile

import numpy as np
import pytest

from bitface.adapters.canonical_mesh import read_canonical_mesh
from bitface.errors import IntegrityError

MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"


@pytest.fixture(scope="module")
def mesh(landmarker_file):
    return read_canonical_mesh(landmarker_file)


def bundle_with(folder, content, member=MEMBER):
    path = folder / "face_landmarker.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def real_content(landmarker_file):
    with zipfile.ZipFile(landmarker_file) as archive:
        return archive.read(MEMBER)


def test_the_bundle_holds_a_face_of_478_points_and_898_triangles(mesh):
    """468 vertices of the mesh, and ten iris points."""
    assert mesh.vertices.shape == (478, 3)
    assert mesh.vertices.dtype == np.float32
    assert mesh.triangles.shape == (898, 3)
    assert set(mesh.triangles.ravel().tolist()) == set(range(468))


def test_the_canonical_face_is_its_own_mirror_image(mesh):
    """It is an average made symmetric: nobody's face."""
    points = mesh.vertices[:468]
    distance = np.linalg.norm(points[:, None] * [-1, 1, 1] - points[None], axis=2)
    assert distance.min(axis=1).max() < 0.01


def test_the_face_stands_upright_and_looks_at_the_viewer(mesh):
    """Forehead above chin, the person's right eye at the left of the picture, nose tip in front."""
    x, y, z = mesh.vertices.T
    assert y[10] > y[1] > y[152]
    assert x[33] < 0 < x[263]
    assert z[1] > z[[33, 263, 152, 10]].max()


def test_iris_points_stand_between_the_corners_of_their_own_eye(mesh):
    """Points 468 to 472 belong to the person's right eye, at the left of the picture."""
    right, left = mesh.vertices[468:473], mesh.vertices[473:478]
    assert ((right[:, 0] > mesh.vertices[33, 0]) & (right[:, 0] < mesh.vertices[133, 0])).all()
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=0.01)


@pytest.mark.parametrize("kept", [0, 1, 100, 9_000, 19_000])
def test_a_cut_off_mesh_is_refused(tmp_path, landmarker_file, kept):
    """A face with a hole in it must not be drawn as if it were whole."""
    with pytest.raises(IntegrityError, match=r"face_landmarker\.task"):
        read_canonical_mesh(bundle_with(tmp_path, real_content(landmarker_file)[:kept]))


def test_a_mesh_with_too_few_vertices_is_refused(tmp_path):
    """One field of one short mesh: well formed, and not a face."""
    vertex = b"\x1d" + np.float32(1).tobytes()
    body = vertex * 5 + b"\x20\x00" * 3
    with pytest.raises(IntegrityError):
        read_canonical_mesh(bundle_with(tmp_path, b"\x0a" + bytes([len(body)]) + body))


@pytest.mark.parametrize("content", [b"\xff" * 40, b"\x0b", b"\x08\x01"])
def test_bytes_that_are_no_mesh_are_refused(tmp_path, content):
    """Endless numbers, an unknown wire type, a number where a message belongs."""
    with pytest.raises(IntegrityError):
        read_canonical_mesh(bundle_with(tmp_path, content))


def test_a_bundle_without_the_mesh_is_refused(tmp_path):
    """Some packages carry bundles that were cut down."""
    with pytest.raises(IntegrityError):
        read_canonical_mesh(bundle_with(tmp_path, b"", member="face_detector.tflite"))


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    """The message names the file, not its folder."""
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"not a zip")
    with pytest.raises(IntegrityError) as caught:
        read_canonical_mesh(path)
    assert str(tmp_path) not in str(caught.value)

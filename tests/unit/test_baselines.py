"""The faces that explanations compare with: means of people, and a face without its features."""

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.explain.baselines import Baseline, baselines_of, blurred
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.models.face.training_faces import PEOPLE_MIN, TrainingFaces, shippable


def table(values, lengths, labels):
    """Clips whose frames hold one number each, landmarks and crops alike."""
    values = np.asarray(values)
    rows, frames = values.shape
    return ClipTable(
        landmarks=np.broadcast_to(values[..., None, None], (rows, frames, 478, 3)).astype(np.float32),
        blendshapes=np.zeros((rows, frames, 52), np.float32),
        crops=np.broadcast_to(values[..., None, None], (rows, frames, 64, 64)).astype(np.uint8),
        lengths=np.array(lengths),
        labels=np.array([EMOTIONS.index(label) for label in labels]),
        persons=np.array([f"p{row}" for row in range(rows)]),
        sample_ids=np.array([f"s{row}" for row in range(rows)]),
        splits=np.full(rows, "train"),
        quality=np.zeros((rows, 5), np.float32),
    )


def crowd(label="fear", people=PEOPLE_MIN):
    return table([[1]] * people, [1] * people, [label] * people)


@pytest.mark.parametrize(("reads", "dtype"), [("landmarks", np.float32), ("crops", np.uint8)])
def test_the_mean_face_gives_each_sample_one_vote_and_padding_none(reads, dtype):
    """Ten clips of two frames at 1 and 3, ten stills at 6 with padding at 100: (2 + 6) / 2, deviation 2."""
    rows = [[1, 3]] * 10 + [[6, 100]] * 10
    faces = TrainingFaces.of(table(rows, [2] * 10 + [1] * 10, ["happiness"] * 10 + ["neutral"] * 10), reads)
    assert faces.mean.dtype == faces.neutral.dtype == dtype
    assert (faces.mean == 4).all() and (faces.neutral == 6).all() and (faces.deviation == 2).all()
    mean, neutral = baselines_of(faces)
    assert "training people" in mean.name and "neutral" in neutral.name


def test_a_mean_of_few_people_is_not_kept():
    """It would be too much like each of them: not as a mean face, and not as a neutral one."""
    assert shippable(crowd(people=PEOPLE_MIN - 1), "crops") is None
    assert shippable(crowd(), "crops").mean[0, 0] == 1
    few = [*["neutral"] * (PEOPLE_MIN - 1), "fear"]
    faces = TrainingFaces.of(table([[1]] * PEOPLE_MIN, [1] * PEOPLE_MIN, few), "crops")
    assert faces.neutral is None and len(baselines_of(faces)) == 1
    assert TrainingFaces.of_arrays(faces.arrays()).neutral is None


def test_faces_survive_a_file_and_strangers_do_not():
    faces = TrainingFaces.of(crowd("neutral"), "crops")
    again = TrainingFaces.of_arrays(faces.arrays())
    assert all(np.array_equal(again.arrays()[name], array) for name, array in faces.arrays().items())
    with pytest.raises(InputError, match="lack"):
        TrainingFaces.of_arrays({"mean": faces.mean})
    with pytest.raises(InputError, match="shape"):
        TrainingFaces.of_arrays({**faces.arrays(), "mean": faces.mean[:8]})


def test_no_training_people_give_no_mean_face():
    """A mean of nothing is not a face."""
    with pytest.raises(InputError, match="0 training samples"):
        TrainingFaces.of(crowd().where(np.zeros(0, np.int64)), "landmarks")


def test_a_blurred_face_keeps_its_light_and_loses_its_features():
    stripes = np.where(np.arange(64)[None] % 4 < 2, 40, 160).repeat(64, axis=0).astype(np.uint8)
    soft = blurred(stripes)
    assert soft.face.dtype == np.uint8 and soft.face[:, 16:48].std() < 2 and abs(soft.face.mean() - 100) < 2
    assert (blurred(np.full((64, 64), 77, np.uint8)).face == 77).all()


def test_a_baseline_of_another_shape_is_refused():
    with pytest.raises(InputError, match="64 x 64"):
        Baseline(name="odd", face=np.zeros((3, 3), np.float32))

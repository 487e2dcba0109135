"""A stage's result is used again only where nothing changed that it is made from: parameters, inputs, code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import bitface
from bitface.params import Params, Section, read_params
from bitface.steps.judging import read_units, redrawn_faces
from bitface.steps.retrain import calibrate, export, featurise, train
from bitface.steps.retrain.reuse import StageInputs, imports_of
from bitface.steps.studies import study

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(bitface.__file__).parent
STAGES = {
    module.__name__.rpartition(".")[2]: module.INPUTS
    for module in (featurise, train, calibrate, export, read_units, redrawn_faces, study)
}
BY_SECTION = {
    "seed": {"featurise", "train", "calibrate", "export", "read_units", "redrawn_faces"},
    "synthetic": {"redrawn_faces"},
    "splits": {"train"},
    "quality": {"train", "calibrate", "read_units"},
    "features": {"featurise", "redrawn_faces"},
    "training": {"train", "calibrate"},
    "action_units": {"read_units"},
    "calibration": {"calibrate"},
    "latency": {"export"},
    "counterfactual": {"redrawn_faces"},
}
"""The sections of params.yaml that are named here, and which stages run again; for any other section none does."""
NETWORKS = {"train", "calibrate", "export", "study"}
BY_FILE = {
    "training/loop.py": NETWORKS,
    "training/landmarks/whitening.py": NETWORKS,
    "training/image_augmentation.py": {"featurise"},
    "training/units/resnet_encoder.py": {"read_units"},
    "binarize/sign.py": NETWORKS,
    "models/landmark/landmark_net.py": NETWORKS,
    "adapters/openvino_runtime/compiler.py": {"export"},
    "adapters/media_files.py": {"featurise", "redrawn_faces"},
    "adapters/mediapipe_landmarks.py": {"featurise", "redrawn_faces"},
    "adapters/synthetic_faces/marks.py": {"redrawn_faces"},
    "faces/alignment.py": {"featurise", "redrawn_faces", "train", "calibrate", "read_units"},
    "faces/media/clip_limits.py": {"featurise", "redrawn_faces"},
    "faces/features.py": {*NETWORKS, "featurise", "redrawn_faces", "read_units"},
    "evaluation/calibration.py": {"calibrate"},
    "evaluation/latency.py": {"export"},
    "explain/landmark_ranking.py": {"study"},
    "steps/retrain/featurise.py": {"featurise", "train", "calibrate", "read_units", "study"},
    "steps/retrain/train.py": {"train", "calibrate", "read_units", "study"},
    "steps/retrain/validate.py": {"train", "calibrate", "read_units"},
    "steps/retrain/export.py": {"export", "read_units"},
    "steps/judging/redrawn_faces.py": {"redrawn_faces"},
    "params/params_file.py": set(STAGES),
    "params/network_sections.py": set(STAGES),
}
NEVER = (
    "cli/",
    "consent/",
    "gate/",
    "ledger/",
    "adapters/mlflow_tracking/",
    "adapters/figures/",
    "steps/versions/register.py",
    "steps/versions/shown/",
)


def key_of_stage(stage: StageInputs, params: Params) -> str:
    return stage.key(params, **dict.fromkeys(stage.inputs, "given"))


def changed(params: Params, section: str) -> Params:
    """The parameters with one number, switch or word of a section other than it was."""
    own = getattr(params, section)
    if not isinstance(own, Section):
        return params.model_copy(update={section: own + 1})
    name, value = next(iter(own))
    other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else f"not {value}"
    return params.model_copy(update={section: own.model_copy(update={name: other})})


@pytest.mark.parametrize("section", Params.model_fields)
def test_a_changed_section_runs_the_stages_again_that_read_it_and_no_other(section: str) -> None:
    params = read_params(ROOT / "params.yaml")
    other = changed(params, section)
    again = {name for name, stage in STAGES.items() if key_of_stage(stage, params) != key_of_stage(stage, other)}
    assert again == BY_SECTION.get(section, set())


def test_a_changed_source_file_runs_the_stages_again_that_are_made_by_it() -> None:
    files = {name: set(stage.files()) for name, stage in STAGES.items()}
    found = {
        path.relative_to(PACKAGE).as_posix(): {name for name, own in files.items() if path in own}
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: found[name] for name in BY_FILE} == BY_FILE
    assert not [name for name in found if name.startswith(NEVER) and found[name]]


def test_the_text_of_a_source_file_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of a stage in turn is read as if it were another, and its key changes; then all others at once, and it stays."""
    from bitface.steps.retrain import reuse

    params = read_params(ROOT / "params.yaml")
    digests = {path: reuse.sha256_of(path) for path in PACKAGE.rglob("*.py")}
    before = {name: key_of_stage(stage, params) for name, stage in STAGES.items()}
    for name, stage in STAGES.items():
        own = set(stage.files())
        for edited in ({*digests} - own, *({path} for path in own)):
            read = {**digests, **dict.fromkeys(edited, "0" * 64)}
            monkeypatch.setattr(reuse, "sha256_of", read.__getitem__)
            reuse._digest_of.cache_clear()
            assert (key_of_stage(stage, params) == before[name]) is (not edited & own), edited
    reuse._digest_of.cache_clear()


@pytest.mark.parametrize("name", STAGES)
def test_whatever_a_stage_imports_is_declared_and_what_is_declared_is_imported(name: str) -> None:
    stage, own = STAGES[name], next((PACKAGE / "steps").rglob(f"{name}.py"))
    carriers = {f"bitface.{carrier}" for carrier in stage.carriers}
    imported = imports_of(own)
    forgotten = {module for module in imported - carriers if not set(files_of(module)) & set(stage.files())}
    assert not forgotten, "it belongs to code or sources, or, where it changes no result, to carriers"
    assert not carriers - imported, "it is imported no longer"


def files_of(module: str) -> Iterator[Path]:
    place = PACKAGE.joinpath(*module.split(".")[1:])
    yield place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def test_what_is_not_declared_cannot_be_read_and_what_does_not_exist_cannot_be_declared() -> None:
    params = read_params(ROOT / "params.yaml")
    stage = StageInputs(
        module="bitface.steps.retrain.export", sections=("latency",), inputs=("models",), code=("binarize",)
    )
    assert stage.restricted(params).latency == params.latency
    with pytest.raises(
        LookupError, match=r"bitface\.steps\.retrain\.export reads the parameters 'training' and does not declare"
    ):
        _ = stage.restricted(params).training
    for wrong in ({"sections": ("latencies",)}, {"code": ("binarise",)}, {"carriers": ("adapters.pytorch",)}):
        with pytest.raises(ValueError, match="does not exist"):
            StageInputs(**{"module": "x", "sections": (), "inputs": (), "code": (), **wrong})  # type: ignore[arg-type]
    for given in ({}, {"models": 1, "seed": 2}):
        with pytest.raises(TypeError, match="declares the inputs"):
            stage.key(params, **given)

"""What docs/extending.md says is all there is to do: its blocks are applied to a copy of the program, and the real commands run there."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from bitface.consent.known_sources import synthetic_consents
from bitface.errors import IntegrityError
from bitface.gate.decision import evaluate_gate
from bitface.gate.decision_bundle import read_bundle, replay, write_bundle
from bitface.gate.kinds import KINDS, kinds_asked, limits_unasked
from bitface.params import GateKind, GateParams, TrainingParams
from bitface.ports import Tracking
from bitface.steps.formats import FORMATS
from bitface.steps.people.sources import FormatReader
from bitface.surroundings import listening_anywhere

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
DIGESTS = {"run": "r1", "model": "m" * 64}


@dataclass(frozen=True)
class Copy:
    """A copy of the program, as somebody has changed it."""

    root: Path

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """`python WORDS` with the copy on a home of its own."""
        own = {"BITFACE_HOME": str(self.root / "home"), "BITFACE_DATA": str(self.root / "data")}
        told = {**os.environ, "PYTHONPATH": str(self.root / "src"), **own, **variables}
        return subprocess.run(
            [sys.executable, *words], cwd=self.root, env=told, capture_output=True, text=True, timeout=300
        )

    def bitface(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The real command."""
        return self.run("-m", "bitface.cli", *words)


@pytest.fixture
def follow(tmp_path: Path) -> Callable[[str, int], Copy]:
    """`follow("A gate metric", 4)` copies the program and does what the docs say there, in so many files."""

    def copy(title: str, files: int) -> Copy:
        root = tmp_path / "copy"
        for folder in ("src", "flows"):
            shutil.copytree(ROOT / folder, root / folder, symlinks=True)
        shutil.copy(ROOT / "params.yaml", root)
        section = DOCS.partition(f"\n## {title}")[2].partition("\n## ")[0]
        blocks = re.findall(r"^```(python title=|diff\n--- )(\S+)\n(.*?)^```$", section, re.M | re.S)
        assert len({place for _, place, _ in blocks}) == files
        for kind, place, text in blocks:
            if kind == "diff\n--- ":
                _patch(root / place, text.splitlines())
            else:
                assert not (root / place).exists()
                (root / place).write_text(text, encoding="utf-8")
        return Copy(root)

    return copy


def _patch(path: Path, block: list[str]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    (named,) = [line for line in block if line[0] in " -"]
    (place,) = [number for number, line in enumerate(lines) if line.startswith(named[1:])]
    kept = [lines[place]] if named[0] == " " else []
    lines[place : place + 1] = [*kept, *(line[1:] for line in block if line[0] == "+")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


JUDGE_AGAIN = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
from bitface.gate.decision_bundle import read_bundle, write_bundle
from bitface.gate.decision import evaluate_gate
from bitface.params import read_params
from bitface.steps.versions.pictures import cell_words
from bitface.steps.versions.guidance import causes_of, next_steps

old = read_bundle(Path("gate.zip"))
params = read_params(Path("params.yaml"), "quick", ["gate.required=[recall]", "gate.recall_floor=0.99"]).gate
decision = evaluate_gate(old.evidence, params, old.seed)
write_bundle(Path("new.zip"), old.evidence, params, old.seed, decision, old.digests)
cells = [cell for cell in decision.cells if cell.kind == "recall"]
steps = next_steps(causes_of(decision), SimpleNamespace(run_id="r1", evidence="real"), 60, "default")
print(json.dumps([decision.verdict, [cell_words(cell) for cell in cells], steps]))
"""


@pytest.mark.tools
def test_a_gate_metric_is_four_files(follow, evidence, gate_params) -> None:
    """It judges, blocks where it is required, is named and mended in reports; an older bundle replays as it was decided."""
    copy = follow("A gate metric", 4)
    decision = evaluate_gate(evidence, gate_params, 7)
    write_bundle(copy.root / "gate.zip", evidence, gate_params, 7, decision, DIGESTS)
    old = copy.bitface("gate", "replay", "gate.zip", "--json")
    assert old.returncode == 0, old.stderr
    assert json.loads(old.stdout)["cells"] == [cell.document() for cell in decision.cells]
    judged = copy.run("-c", JUDGE_AGAIN)
    assert judged.returncode == 0, judged.stderr
    verdict, words, steps = json.loads(judged.stdout)
    assert (verdict, words) == ("block", [f"recall, {emotion}" for emotion in evidence.emotions])
    assert re.fullmatch("train with more people who show .*happiness.*: they are missed too often", steps[0])
    new = copy.bitface("gate", "replay", "new.zip", "--json")
    assert new.returncode == 0, new.stderr
    assert [cell["name"] for cell in json.loads(new.stdout)["cells"]][-3:] == [f"recall/{e}" for e in evidence.emotions]


def test_every_kind_of_cell_is_registered_once_with_limits_that_exist() -> None:
    assert list(KINDS) == list(get_args(GateKind))
    limits = [name for kind in KINDS.values() for name in kind.limits]
    assert len(set(limits)) == len(limits) and set(limits) <= GateParams.model_fields.keys()


def test_parameters_without_a_limit_are_older_than_its_kind_and_may_not_require_it(gate_params) -> None:
    """Leaving a limit out of a bundle must not spare a required cell."""
    params = gate_params.model_dump(mode="json")
    advisory = {name: value for name, value in params.items() if not name.startswith("counterfactual")}
    assert {kind.name for kind in KINDS.values()} - {kind.name for kind in kinds_asked(advisory)} == {"counterfactual"}
    assert limits_unasked(advisory) == set(KINDS["counterfactual"].limits)
    required = {name: value for name, value in params.items() if name != "emotion_balanced_accuracy_floor"}
    assert len(kinds_asked(required)) == len(KINDS) and not limits_unasked(required)


def test_a_bundle_whose_parameters_lack_a_required_limit_is_unreadable(tmp_path, evidence, gate_params) -> None:
    decision, path = evaluate_gate(evidence, gate_params, 7), tmp_path / "gate.zip"
    lacking = gate_params.model_dump(mode="json")
    del lacking["emotion_balanced_accuracy_floor"]
    dumped = SimpleNamespace(model_dump=lambda mode: lacking)
    write_bundle(path, evidence, dumped, 7, decision, DIGESTS)
    with pytest.raises(IntegrityError, match="cannot read a gate bundle"):
        read_bundle(path)
    write_bundle(path, evidence, gate_params, 7, decision, DIGESTS)
    assert replay(read_bundle(path)).identical


def _bring(folder: Path) -> None:
    """Three pictures of two people, with what must lie beside them."""
    (folder / "notices").mkdir(parents=True)
    notice, soon = b"We train a model on your picture, for research.\n", datetime.now(UTC) + timedelta(days=100)
    (folder / "notices" / "n1.md").write_bytes(notice)
    licence = {"id": "own", "name": "ours", "text": "for training", "purposes": ["train", "evaluate"]}
    (folder / "licence.json").write_text(json.dumps(licence))
    (model,) = synthetic_consents(["s" * 16])
    events = []
    for who in ("ann", "bob"):
        changes = {
            "event_id": f"e-{who}",
            "record_id": f"r-{who}",
            "subject": who,
            "lawful_basis": "6(1)(a)",
            "special_category_condition": "9(2)(a)",
            "purposes": ["train"],
            "contexts": ["research"],
            "notice_id": "n1",
            "notice_sha256": hashlib.sha256(notice).hexdigest(),
            "valid_to": soon.isoformat(),
            "delete_by": soon.isoformat(),
            "last_interaction": (soon - timedelta(days=110)).isoformat(),
        }
        events.append(json.dumps(model.model_dump(mode="json") | changes))
    (folder / "consents.jsonl").write_text("\n".join(events) + "\n")
    for seed, name in enumerate(("ann_happy_1", "ann_neutral_2", "bob_smug_1")):
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")


@pytest.mark.tools
def test_a_dataset_format_is_a_file_and_a_line(follow) -> None:
    """The real command takes people in by it: faulty rows are quarantined as for any format, and help and errors name it."""
    copy = follow("A dataset format", 2)
    _bring(copy.root / "brought")
    taken = copy.bitface("data", "import", "brought", "--format", "named", "--json")
    assert taken.returncode == 0, taken.stderr
    report = json.loads(taken.stdout)
    assert (report["people"], report["admitted"]) == (1, 2)
    (row,) = report["quarantined"]
    assert "unknown label 'smug'" in row["reason"]
    wrong = copy.bitface("data", "import", "brought", "--format", "nam")
    assert (
        wrong.returncode == 2
        and "unknown --format 'nam'; did you mean 'named'? use one of folder, " in wrong.stderr
        and ", named" in wrong.stderr
    )
    (copy.root / "empty").mkdir()
    shutil.copy(copy.root / "brought" / "licence.json", copy.root / "empty")
    (copy.root / "empty" / "consents.jsonl").write_text("")
    empty = copy.bitface("data", "import", "empty", "--format", "named")
    assert empty.returncode == 2 and "pictures: nothing to import" in empty.stderr
    assert "named: SUBJECT_LABEL_NUMBER.png" in " ".join(copy.run("-c", FORMATS_HELP).stdout.split())


FORMATS_HELP = "from bitface.steps.formats import formats_help; print(formats_help())"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_registered_under_its_name_with_a_reader(name: str) -> None:
    assert FORMATS[name].name == name and isinstance(FORMATS[name].reader(), FormatReader)


TRAIN_SIGNS = """
import json
from pathlib import Path
import numpy as np
from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import InputError
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.models.counting import cost_of
from bitface.models.extraction import selftest_of
from bitface.params import read_params
from bitface.training.architectures import ARCHITECTURES
from bitface.training.loop import load_model, predict_scores, save_model, train_pair

n, rng = 48, np.random.default_rng(0)
labels = np.tile(["happiness", "neutral"], n // 2)
landmarks = rng.normal(size=(478, 3)) + 0.01 * rng.normal(size=(n, 1, 478, 3))
landmarks[labels == "happiness", :, :40, 1] += 0.3
table = ClipTable(
    landmarks=landmarks.astype(np.float32),
    blendshapes=np.zeros((n, 1, 52), np.float32),
    crops=np.zeros((n, 1, 64, 64), np.uint8),
    lengths=np.ones(n, np.int64),
    persons=np.array([f"person {row // 2}" for row in range(n)]),
    sample_ids=np.array([f"s{row}" for row in range(n)]),
    labels=np.array([EMOTIONS.index(label) for label in labels], np.int64),
    splits=np.where(np.arange(n) < n // 2, "train", "validation"),
    quality=np.zeros((n, 5), np.float32),
)
words = ["training.architecture=sign_net", "training.epochs=4", "training.channels=32", "training.steps_per_epoch_min=4"]
read = lambda *more: read_params(Path("params.yaml"), "quick", [*words, *more]).training
one_bit, twin = train_pair(table, read(), 1, lambda *_: None)
save_model(one_bit, Path("saved"))
loaded = load_model(Path("saved"))
export_bundle(loaded, selftest_of(loaded.network, 1), Path("bundle"))
runtime = OneBitRuntime.load(Path("bundle"))
answers = runtime.scores(table.landmarks, table.lengths)
refused = []
for more in ("training.variant=R-EMO", "training.heads=separate"):
    try:
        train_pair(table, read(more), 1, lambda *_: None)
    except InputError as error:
        refused.append(str(error))
print(json.dumps({
    "right": float(np.mean(np.array(runtime.emotions)[answers.argmax(1)] == labels)),
    "off": float(np.abs(answers - predict_scores(one_bit, table)).max()),
    "reads": runtime.reads,
    "one_bit_macs": cost_of(one_bit.network).one_bit_macs,
    "caption": ARCHITECTURES["sign_net"].caption,
    "refused": refused,
}))
"""


@pytest.mark.tools
def test_an_architecture_is_four_files(follow) -> None:
    """It is trained beside its twin, saved, counted, exported and run without torch by its own module, and answers the same."""
    copy = follow("An architecture", 4)
    made = copy.run("-c", TRAIN_SIGNS)
    assert made.returncode == 0, made.stderr[-3000:]
    told = json.loads(made.stdout)
    assert told["right"] > 0.9 and told["off"] < 1e-4 and told["reads"] == "landmarks"
    assert told["one_bit_macs"] == 32 * 478 * 3
    assert "weights +-1" in told["caption"]
    assert told["refused"] == [
        "sign_net has no variant R-EMO; set training.variant: T-EMO",
        "sign_net has no separate heads; set training.heads: shared",
    ]
    unknown = copy.bitface("retrain", "--set", "training.architecture=sine_net")
    assert unknown.returncode == 2 and "'sign_net'" in unknown.stderr


def test_every_architecture_and_each_of_its_networks_is_in_both_registries() -> None:
    """Training knows it by its parameters' name, the runtime by the networks in bundles; neither knows the other."""
    from bitface.adapters.openvino_runtime.networks import NETWORKS
    from bitface.models.separate import PREFIX
    from bitface.training.architectures import ARCHITECTURES

    assert tuple(ARCHITECTURES) == get_args(TrainingParams.model_fields["architecture"].annotation)
    assert all(name in own.empty for name, own in ARCHITECTURES.items())
    trained = {name for own in ARCHITECTURES.values() for name in own.empty}
    separate = {PREFIX + name for name, own in ARCHITECTURES.items() if own.is_separable}
    assert NETWORKS.keys() == trained | separate


RUN_WITH_TRACKING = """
from bitface.bootstrap.opening import ready
from bitface.usecases.reconciling import close_interrupted, reconciled
from bitface.ports import TrackedOutcome

tools = ready()
tool = tools.ports.tracking()
tool._note("start", "r1", "d1")
tool._note("start", "r2", "d1")
tool.finish("r1", TrackedOutcome(decision="hold", reasons=(), headline={}))
with tools.ledger:
    print(tool.end_interrupted(), reconciled(tools))
"""


@pytest.mark.tools
def test_another_tracking_tool_is_an_adapter_and_a_line(follow) -> None:
    """Commands and the clean-up of a retrain go through the port: MLflow is not even imported."""
    copy = follow("Another tool", 2)
    told = copy.run("-c", RUN_WITH_TRACKING + "import sys; assert 'mlflow' not in sys.modules")
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "('run r2 was left running',) ()"
    with closing(listening_anywhere()) as free:
        port = free.getsockname()[1]
    with_page = copy.bitface("ui", "--port", str(port))
    assert (with_page.returncode, with_page.stdout) == (0, "4 lines in tracking.jsonl\n"), with_page.stderr
    assert not (copy.root / "home" / "mlflow").exists()


def test_the_example_has_the_methods_of_the_port() -> None:
    text = re.search(r"title=src/bitface/adapters/file_tracking.py\n(.*?)^```$", DOCS, re.M | re.S)
    assert text is not None
    made: dict[str, type] = {"__name__": "example"}
    exec(compile(text[1], "example", "exec"), made)  # noqa: S102 - the project's own documentation
    for name, asked in inspect.getmembers(Tracking, inspect.isfunction):
        if not name.startswith("_"):
            given = inspect.signature(getattr(made["FileTracking"], name))
            assert given == inspect.signature(asked), name

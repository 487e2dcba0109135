"""The shape of the house: flows stay thin, importing does nothing, nothing is ever unpickled, help answers at once."""

from __future__ import annotations

import ast
import gc
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bitface.steps.retrain import run_data

ROOT = Path(__file__).resolve().parents[2]
FLOWS = sorted((ROOT / "flows").glob("*.py"))
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "flows").glob("*.py")])


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module, the module itself first; read once for all tests of this file."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.fixture(autouse=True, scope="module")
def _forgotten() -> Iterator[None]:
    """Half a million nodes are not kept for the files that come after this one, nor looked through for garbage while they are made."""
    gc.disable()
    yield
    nodes_of.cache_clear()
    gc.enable()


def short_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix().removeprefix("src/bitface/")


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.name)
def test_a_flow_is_thin(path: Path) -> None:
    """No loops, no try, under 80 lines: what a flow does is an order, and errors rise."""
    tree = ast.parse(path.read_text())
    kinds = {type(node).__name__ for node in ast.walk(tree)}
    assert not kinds & {"For", "While", "Try", "TryStar", "AsyncFor", "ListComp", "DictComp", "SetComp"}
    assert len(path.read_text().splitlines()) < 80


def test_nothing_is_unpickled_and_no_module_says_nothing() -> None:
    # Published ResNet weights come as .pth: read as numbers only, never as code.
    tensors_only = r"\btorch\.load\b(?!\(.*weights_only=True)|\bpickle\b(?! import UnpicklingError)"
    unpickles = re.compile(tensors_only + r"|\bjoblib\b|mlflow\.pyfunc|allow_pickle=True")
    assert len(SOURCES) > 400
    assert not [short_name(path) for path in SOURCES if unpickles.search(path.read_text(encoding="utf-8"))]
    silent = [short_name(path) for path in SOURCES if not ast.get_docstring(_module_of(path))]
    assert not silent, "the first line of a module says why it exists"
    nameless = {"utils", "util", "helpers", "common", "misc", "manager"}
    assert not [short_name(path) for path in SOURCES if path.stem in nameless]


def _module_of(path: Path) -> ast.Module:
    module = nodes_of(path)[0]
    assert isinstance(module, ast.Module)
    return module


FILES_MOST = 20


def test_no_folder_has_more_files_than_a_reader_looks_through() -> None:
    folders = {path.parent for path in SOURCES}
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder in folders
        if (count := len([*folder.glob("*.py")])) > FILES_MOST
    }
    assert not crowded, f"more than {FILES_MOST} files: {crowded}"


LINES_MOST = 420


def test_no_module_is_longer_than_a_reader_holds_in_mind() -> None:
    """A longer one is split by what a reader is after; most have 100 to 250 lines."""
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in SOURCES}
    long = {name: lines for name, lines in lengths.items() if lines > LINES_MOST}
    assert not long, f"more than {LINES_MOST} lines: {long}"


NAMESAKES = {
    "audit",
    "bench",
    "contexts",
    "drift",
    "erase",
    "expire",
    "monitor",
    "policy",
    "predict",
    "promote",
    "retention",
    "retrain",
    "study",
}
"""A command and what it calls, or a table and what keeps it, may have one name: it means the same thing."""


def test_no_two_modules_of_one_name_mean_different_things() -> None:
    names = Counter(path.stem for path in SOURCES if path.stem != "__init__")
    assert {name for name, times in names.items() if times > 1} <= NAMESAKES


PARAMETERS_MOST = 7
MANY_PARAMETERS = {
    "adapters/synthetic_faces/lighting.py": "compiled kernels, which take arrays and numbers alone",
    "cli": "commands, whose parameters are their options",
}


def test_no_function_takes_more_than_a_reader_keeps_in_mind() -> None:
    """What belongs together comes as one frozen value with a name; who may take more is named, with the reason."""
    many = [
        f"{short_name(path)}:{node.lineno} takes {_parameters_of(node)}"
        for path in SOURCES
        if not {short_name(path), short_name(path).partition("/")[0]} & MANY_PARAMETERS.keys()
        for node in nodes_of(path)
        if isinstance(node, _FUNCTION) and _parameters_of(node) > PARAMETERS_MOST
    ]
    assert not many, f"more than {PARAMETERS_MOST} parameters"


@pytest.mark.parametrize("name", ["stages", "judging"])
def test_a_stage_takes_the_run_what_was_made_and_the_job(name: str) -> None:
    """Four at most, the job last: whoever reads the flow sees what each stage rests on."""
    tree = ast.parse((ROOT / f"src/bitface/usecases/{name}.py").read_text())
    stages = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.args.args[-1].arg == "job"]
    assert len(stages) > 8
    assert not [one.name for one in stages if _parameters_of(one) > 4]


def test_every_exemption_from_the_number_of_parameters_is_needed() -> None:
    for own in MANY_PARAMETERS:
        place = ROOT / "src/bitface" / own
        paths = [place] if place.is_file() else [*place.rglob("*.py")]
        taken = [_parameters_of(node) for path in paths for node in nodes_of(path) if isinstance(node, _FUNCTION)]
        assert max(taken) > PARAMETERS_MOST, own


ANY_MOST = 273
"""Half of what it was when `Any` hid figures, pages and tools from mypy."""


def test_what_any_would_hide_is_typed() -> None:
    """A port, a document or an array has a name; `Any` is left for what a library or a file leaves open."""
    named = [node for path in SOURCES for node in nodes_of(path) if isinstance(node, ast.Name)]
    found = sum(node.id == "Any" for node in named)
    assert found <= ANY_MOST, f"`Any` is named {found} times; name a type of `ports`, documents.py or the tool's own"


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
    """How many it takes, `self` and `cls` aside; `*words` and `**words` count as one each."""
    own = function.args
    names = [one.arg for one in (*own.posonlyargs, *own.args)]
    starred = [one for one in (own.vararg, own.kwarg) if one is not None]
    return len(names) - (names[:1] in (["self"], ["cls"])) + len(own.kwonlyargs) + len(starred)


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("def f(self, a, b): ...", 2),
        ("def f(a, /, b, *, c): ...", 3),
        ("async def f(cls, *a, **b): ...", 2),
        ("lambda a, b: a", 2),
    ],
)
def test_parameters_are_counted_wherever_they_stand(words: str, taken: int) -> None:
    (found,) = (node for node in ast.walk(ast.parse(words)) if isinstance(node, _FUNCTION))
    assert _parameters_of(found) == taken


ITS_OWN = "what it has just made"
ADMISSION = "steps.admit.admit_members"
OPENS_MODELS = {
    ("adapters/openvino_runtime/bundle.py", "load"): {ITS_OWN},
    ("bootstrap/adapters.py", "load"): {ITS_OWN, "check_use", "check_judged"},
    ("usecases/models.py", "load_registered"): {"check_use", "check_judged"},
}
OPENS_PEOPLE = {
    "steps/judging/read_units.py": {ADMISSION},
    "steps/studies/bench.py": {"refusing_judgement"},
    # An import and a retrain, whose people are admitted; a look for somebody; an erasure.
    "steps/people/contents.py": {ADMISSION, "check_picture"},
    "steps/retrain/featurise.py": {ADMISSION, "refusing_judgement"},
    "steps/people/intake_decision.py": {ADMISSION},
    "steps/people/dataset_status.py": {ADMISSION},
}
"""Through which door of `ledger.use`, or by which admission, everything that opens a model or a person goes."""
ASKED_IN = {
    "check_use": {"usecases/models.py"},  # predict, explain, serve
    "check_judged": {"usecases/models.py", "steps/versions/rival.py"},  # the champion beside a candidate; drift
    "refusing_judgement": {"steps/studies/comparable.py", "steps/versions/monitor.py"},  # study, bench, drift
    "check_picture": {"steps/answers/showing.py", "steps/judging/transfer.py"},  # --show-face, transfer.london
    "check_lawful": set(),  # nobody: it is a part of the others
    "is_lawful": {"steps/versions/promote.py", "steps/versions/rival.py"},
}


def test_every_door_is_asked_where_it_is_said_to_be() -> None:
    """`ledger.use` is the one place that decides use. A flow that judges people beside a retrain takes those alone who allow it."""
    asked: dict[str, set[str]] = {door: set() for door in ASKED_IN}
    for path in SOURCES:
        name = short_name(path)
        if name.startswith("ledger/"):
            continue
        called = {node.func.attr for node in nodes_of(path) if _is_method(node)}
        for door in asked.keys() & called:
            asked[door].add(name)
    assert asked == ASKED_IN
    use = (ROOT / "src/bitface/ledger/use.py").read_text()
    doors = {door for own in (*OPENS_MODELS.values(), *OPENS_PEOPLE.values()) for door in own} - {ITS_OWN, ADMISSION}
    assert all(f"def {door}(" in use for door in (*ASKED_IN, *doors)) and doors <= ASKED_IN.keys()
    judging = {"flows/study.py": 2, "src/bitface/usecases/watching.py": 1, "src/bitface/usecases/studies.py": 1}
    for place, times in judging.items():
        text = (ROOT / place).read_text()
        assert len(re.findall(r"step\(stages\.comparable, |stages\.comparable\(", text)) == times, place


def _is_method(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def test_whoever_opens_a_model_or_a_person_is_on_a_list() -> None:
    """A new place that does is looked at first: it goes through a door, or it is not on the list."""
    models, people = set(), set()
    for path in SOURCES:
        name = short_name(path)
        called = {node.func for node in nodes_of(path) if isinstance(node, ast.Call)}
        for function in called:
            if isinstance(function, ast.Attribute) and ast.unparse(function) == "OneBitRuntime.load":
                models.add((name, "load"))
            if isinstance(function, ast.Attribute) and function.attr == "load_registered":
                models.add((name, "load_registered"))
            if isinstance(function, ast.Name) and function.id == "read_shard":
                people.add(name)
    assert models == OPENS_MODELS.keys()
    assert people == OPENS_PEOPLE.keys()


def test_the_features_of_a_run_are_decrypted_in_one_place_and_once() -> None:
    """Every stage reads them from `Seen`, which keeps what it decrypted; a benchmark and new faces for drift are runs of their own."""
    readers = {
        short_name(path)
        for path in SOURCES
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "read_features"
    }
    assert readers == {"steps/retrain/run_data.py", "steps/judging/window.py", "usecases/studies.py"}
    opened: list[object] = []
    seen = run_data.Seen(features=(), keys=None)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_data, "read_features", lambda *words: opened.append(words) or "rows")
        assert (seen.every_row, seen.every_row) == ("rows", "rows") and len(opened) == 1


@pytest.mark.tools
def test_help_imports_nothing_heavy() -> None:
    """`--help` answers at once because parsing knows no tool."""
    code = (
        "import sys; from bitface.cli.app import app; "
        "heavy = {'torch', 'mlflow', 'prefect', 'mediapipe', 'great_expectations', 'evidently', 'dvc', 'numpy', 'pandas', 'sqlalchemy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.tools
def test_what_computes_no_explanation_imports_no_torch() -> None:
    """It takes two seconds, which every `gate show`, erasure and start of a retrain would pay."""
    modules = ["bitface.steps.versions.gate", "bitface.steps.audits.audit", "bitface.usecases.judging"]
    code = (
        "import importlib, sys; "
        f"found = [name for name in {modules} if importlib.import_module(name) and 'torch' in sys.modules]; print(found[:1])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", "the first that brings it"


def test_every_requirement_is_pinned() -> None:
    """What pyproject.toml names, constraints.txt pins exactly."""
    wanted = re.findall(
        r'^  "([A-Za-z0-9_-]+)', (ROOT / "pyproject.toml").read_text().partition("[project.optional")[0], re.M
    )
    lines = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    pins = {line.split("==")[0] for line in lines if "==" in line}
    assert wanted
    assert not [name for name in wanted if name.lower().replace("_", "-") not in pins]

"""Every test has its own home, dataset folder and, unless it asks for none, the shared cache of re-creatable things.

What the checkout, its user or the machine has set up changes no test: not a dataset and models of the checkout's own, not variables
(those of the `make` that runs it included), not settings of tools, and no neighbour that takes the processor.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from pathlib import Path

import platformdirs
import pytest
from hypothesis import HealthCheck, settings

from tests.draws import draws

gc.disable()  # until everything is imported and collected
# Hundreds of processes import the same modules: each is compiled once, also where a machine's default is to keep nothing.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
ROOT = Path(__file__).resolve().parents[1]
OURS = ("BITFACE_CACHE", "BITFACE_SHARED_DATA", "BITFACE_EVIDENCE", "BITFACE_EVIDENCE_AGAIN", "BITFACE_FACE_LANDMARKER")
FOREIGN = ("BITFACE_", "DVC_", "GX_", "MAKE", "MLFLOW_", "OPENLINEAGE_", "PREFECT_")
_settings_of_tools = tempfile.TemporaryDirectory(prefix="bitface-tests-")
for name in [name for name in os.environ if name.startswith(FOREIGN) and name not in OURS]:
    del os.environ[name]
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    # Tests run side by side: more threads only wait for one another.
    os.environ.setdefault(name, "1")
os.environ.setdefault("BITFACE_CACHE", str(platformdirs.user_cache_path("bitface")))
os.environ |= {
    # A test that asks for no project has none: it fails instead of reading or changing the checkout's own.
    "BITFACE_HOME": "/dev/null/home-of-a-test-without-the-fixture-project",
    "BITFACE_DATA": "/dev/null/data-of-a-test-without-the-fixture-project",
    "DO_NOT_TRACK": "true",
    "DVC_GLOBAL_CONFIG_DIR": f"{_settings_of_tools.name}/dvc",
    "DVC_NO_ANALYTICS": "1",
    "DVC_SYSTEM_CONFIG_DIR": f"{_settings_of_tools.name}/dvc-system",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_PROFILES_PATH": f"{_settings_of_tools.name}/prefect.toml",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
# A shell that starts the suite in the background has Ctrl-C ignored, `nohup` a closed terminal: every command of a test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
# How long an example takes says what else the machine does. Each run draws others; `make evidence` as many as Hypothesis would.
settings.register_profile(
    "suite", max_examples=draws(100, 40), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


LONGEST_FIRST = (
    "flows/test_retrain.py",
    "flows/test_london.py",
    "evidence/test_retrain_killed.py",
    "evidence/test_histories.py",
    "flows/test_interrupts.py",
    "evidence/test_gate.py",
    "flows/",
    "evidence/",
)


def pytest_collection_finish() -> None:
    """What collection made stays to the end; the collector of garbage need not look at it again and again.

    Nor need it look after every 700 new objects: reading all sources of the project took three times as long by that.
    """
    gc.enable()
    gc.set_threshold(50_000, 20, 20)
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A test is not named after bytes: those that a library packs hold the time, and each worker would collect other tests."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that none is left over for one worker at the end; within a file the order stays random."""

    def rank(item: pytest.Item) -> int:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((row for row, start in enumerate(LONGEST_FIRST) if place.startswith(start)), len(LONGEST_FIRST))

    items.sort(key=rank)
    if os.environ.get("BITFACE_EVIDENCE") != "full":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes a minute or more; `make evidence` runs it"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own: BITFACE_HOME and BITFACE_DATA below a fresh folder, which is returned."""
    monkeypatch.setenv("BITFACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BITFACE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(ROOT)
    return tmp_path


@pytest.fixture(scope="session")
def london() -> Path:
    """The folder of the London Set's reduced copy; the test is skipped where it is absent."""
    folder = Path(os.environ.get("BITFACE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "london"
    if not folder.is_dir():
        pytest.skip("the London Set is not here; set BITFACE_SHARED_DATA to the folder that holds london/")
    return folder


@pytest.fixture(scope="session")
def cremad() -> Path:
    """The folder of CREMA-D's tables; the test is skipped where it is absent."""
    folder = Path(os.environ.get("BITFACE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "cremad"
    if not folder.is_dir():
        pytest.skip("CREMA-D's tables are not here; set BITFACE_SHARED_DATA to the folder that holds cremad/")
    return folder

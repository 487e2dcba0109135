"""Every test has its own home, dataset folder and, unless it asks for none, the shared cache of re-creatable things."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("BITFACE_CACHE", str(platformdirs.user_cache_path("bitface")))
for name in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"):
    os.environ[name] = "true"
os.environ |= {"DVC_NO_ANALYTICS": "1", "GX_ANALYTICS_ENABLED": "false", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


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

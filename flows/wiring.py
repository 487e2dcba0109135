"""The only place that picks tools: changing one is one adapter and one line here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from bitface.adapters.dvc_store import DvcStore
from bitface.adapters.media_files import decode_frames, encode_frames, read_image
from bitface.adapters.terminal_progress import TerminalProgress
from bitface.dataset.keys import KeyStore
from bitface.ledger.ledger import Ledger, utc_now
from bitface.params import Params, SyntheticParams, read_params
from bitface.ports import DecodeFrames, EncodeFrames, Landmarker, PlannedPerson, ReadImage, RenderedSample
from bitface.workspace import Workspace, open_workspace

QUIET = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""No tool reports home, and none talks over the summary, unless the environment says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Everything a flow or a command works with, opened for one workspace and one set of parameters."""

    workspace: Workspace
    params: Params
    profile: str
    store: DvcStore
    keys: KeyStore
    ledger: Ledger
    progress: TerminalProgress
    now: Callable[[], datetime] = utc_now
    encode: EncodeFrames = encode_frames
    decode: DecodeFrames = decode_frames
    read_image: ReadImage = read_image


def project_root() -> Path:
    """The folder with params.yaml: the current one, else the checkout that this package is installed from."""
    here = Path.cwd()
    return here if (here / "params.yaml").is_file() else Path(__file__).resolve().parents[1]


def workspace() -> Workspace:
    """The workspace that the environment names."""
    return open_workspace(os.environ, project_root())


def quieten() -> None:
    """Sets what tools read from the environment, before they are imported; what is set already stays."""
    home = workspace().home
    for name, value in {**QUIET, "PREFECT_HOME": str(home / "prefect")}.items():
        os.environ.setdefault(name, value)


def open_tools(profile: str = "default", overrides: Sequence[str] = (), quiet: bool = False) -> Tools:
    """The tools of the environment's workspace; nothing is written before the first use."""
    quieten()
    place = workspace()
    return Tools(
        workspace=place,
        params=read_params(place.params, profile, overrides),
        profile=profile,
        store=DvcStore(place.data, place.root, place.home),
        keys=KeyStore(place.keys),
        ledger=open_ledger(place),
        progress=TerminalProgress(quiet),
    )


def open_ledger(place: Workspace) -> Ledger:
    """The ledger: SQLite in the workspace, or the SQLAlchemy URL in BITFACE_LEDGER_URL."""
    place.home.mkdir(parents=True, exist_ok=True)
    return Ledger(os.environ.get("BITFACE_LEDGER_URL") or place.ledger_url)


def worker_threads() -> int:
    """Threads that map over people: as many as cores, four at most."""
    return min(4, os.cpu_count() or 1)


def render_people(
    cache: Path, params: SyntheticParams, seed: int, workers: int
) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]:
    """Synthetic adults by anny; imported here because it takes seconds."""
    from bitface.adapters.synthetic_faces import render_people as render
    from bitface.faces.synthetic_people import plan_people

    yield from render(plan_people(params, seed), params, cache, workers)


def renderer(tools: Tools) -> Callable[..., Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]]:
    """The renderer with its build cache."""
    return partial(render_people, tools.workspace.cache)


def synthesise(tools: Tools) -> None:
    """Renders the default dataset into the dataset folder; pins nothing."""
    from bitface.steps.intake import write_synthetic_dataset

    params = tools.params
    write_synthetic_dataset(
        tools.workspace.data,
        params.synthetic,
        params.seed,
        params.features.workers,
        renderer(tools),
        tools.encode,
        tools.progress,
    )


def landmarker(tools: Tools) -> tuple[Callable[[], Landmarker], str]:
    """Opens landmarkers, and the SHA-256 of the model they use."""
    from bitface.adapters.mediapipe_landmarks import FaceLandmarks
    from bitface.adapters.model_assets import face_landmarker

    asset = face_landmarker(tools.workspace.cache, os.environ)
    return partial(FaceLandmarks, asset.path), asset.sha256


def featuriser(tools: Tools) -> Any:
    """What the featurise step works with."""
    from bitface.steps.featurise import Featuriser
    from bitface.training.image_augmentation import augmented

    make, sha256 = landmarker(tools)
    return Featuriser(
        data=tools.workspace.data,
        features=tools.workspace.stages / "features",
        keys=tools.keys,
        params=tools.params.features,
        seed=tools.params.seed,
        decode=tools.decode,
        augment=augmented,
        landmarker=make,
        asset_sha256=sha256,
    )

"""The tools of one request, as one frozen record of ports: a test swaps a tool by replacing a field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bitface.dataset.keys import KeyStore
from bitface.figure_ports import Figures, Mesh
from bitface.ledger.entries import ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.page_ports import Pages
from bitface.params import Params
from bitface.ports import (
    DatasetStore,
    DecodeFrames,
    DescribeVideo,
    EncodeFrames,
    ExportBundle,
    Landmarker,
    Lineage,
    LoadRuntime,
    MeasureDrift,
    Progress,
    ReadImage,
    ReadVideo,
    RenderPeople,
    RenderVariations,
    Rivals,
    Runtime,
    Signer,
    TableChecks,
    Tracking,
    WatchVideo,
)
from bitface.steps.audits.checkpoints import Checkpoints
from bitface.workspace import Workspace

Warn = Callable[[str], None]


class OpenLandmarker(Protocol):
    """Opens a landmarker that finds at most `faces_max` faces per picture."""

    def __call__(self, *, faces_max: int = 1) -> Landmarker: ...


class LoadRegistered(Protocol):
    """Loads a bundle as the version that the ledger has under its digest; raises IntegrityError if they differ."""

    def __call__(self, folder: Path, entry: ModelEntry) -> Runtime: ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything outside the core. A field named as a verb does it; one named as a thing opens it, which may take seconds of imports."""

    read_image: ReadImage
    read_video: ReadVideo
    watch_video: WatchVideo
    describe_video: DescribeVideo
    encode: EncodeFrames
    decode: DecodeFrames
    landmarker: Callable[[], tuple[OpenLandmarker, str]]
    """Opens landmarkers, and the SHA-256 of the model that they use."""
    render: RenderPeople
    redraw: RenderVariations
    table_checks: Callable[[], TableChecks]
    measure_drift: Callable[[], MeasureDrift]
    exporter: Callable[[int], ExportBundle]
    """Takes a seed, from which the bundle's self-test is drawn: not the face of a person."""
    load: LoadRuntime
    load_registered: LoadRegistered
    rivals: Callable[[], Rivals]
    tracking: Callable[[], Tracking]
    lineage: Callable[[Warn], Lineage]
    pictures: Callable[[], tuple[Figures, Mesh, Pages]]
    signer: Callable[[], Signer]
    close_crashed: Callable[[], tuple[str, ...]]
    """Closes what a killed retrain left running in the orchestrator; a sentence for each."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The tools of a flow or a command, for one workspace and one set of parameters."""

    workspace: Workspace
    params: Params
    profile: str
    store: DatasetStore
    keys: KeyStore
    ledger: Ledger
    checkpoints: Checkpoints
    progress: Progress
    ports: Ports
    now: Callable[[], datetime]

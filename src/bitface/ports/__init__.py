"""What steps need from the outside world, in our own types: adapters implement these, tests may fake them, the core is free of tools.

A module for each thing that is asked of the world; figures and pages are in `figure_ports` and `page_ports`.
"""

from __future__ import annotations

from bitface.ports.media_ports import (
    Augment,
    DecodeFrames,
    DescribeVideo,
    EncodeFrames,
    Frames,
    Landmarker,
    ReadImage,
    ReadVideo,
    ShownFrame,
    TimedFrame,
    WatchVideo,
)
from bitface.ports.process_ports import UNKNOWN, Deployment, Door, Progress, Reaction, Report
from bitface.ports.render_ports import PlannedPerson, RenderedSample, RenderPeople, RenderVariations
from bitface.ports.runtime_ports import ExportBundle, LoadRuntime, Rivals, Runtime
from bitface.ports.signing_ports import CheckpointPlace, Signer
from bitface.ports.store_ports import DatasetStore, Forgotten, KeptForOthers, StorePlaces
from bitface.ports.table_ports import ChecksReport, DriftFigures, MeasureDrift, TableChecks
from bitface.ports.tracking_ports import (
    Lineage,
    ShownVersions,
    TracedModel,
    TracedRun,
    TrackedModel,
    TrackedOutcome,
    TrackedReport,
    TrackedRun,
    TrackedVersion,
    Tracking,
)

__all__ = [
    "UNKNOWN",
    "Augment",
    "CheckpointPlace",
    "ChecksReport",
    "DatasetStore",
    "DecodeFrames",
    "Deployment",
    "DescribeVideo",
    "Door",
    "DriftFigures",
    "EncodeFrames",
    "ExportBundle",
    "Forgotten",
    "Frames",
    "KeptForOthers",
    "Landmarker",
    "Lineage",
    "LoadRuntime",
    "MeasureDrift",
    "PlannedPerson",
    "Progress",
    "Reaction",
    "ReadImage",
    "ReadVideo",
    "RenderPeople",
    "RenderVariations",
    "RenderedSample",
    "Report",
    "Rivals",
    "Runtime",
    "ShownFrame",
    "ShownVersions",
    "Signer",
    "StorePlaces",
    "TableChecks",
    "TimedFrame",
    "TracedModel",
    "TracedRun",
    "TrackedModel",
    "TrackedOutcome",
    "TrackedReport",
    "TrackedRun",
    "TrackedVersion",
    "Tracking",
    "WatchVideo",
]

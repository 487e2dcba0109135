"""Which adapter implements which port. Slow imports happen at first use."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bitface.adapters.media_files import decode_frames, encode_frames, read_image
from bitface.adapters.mlflow_tracking import MlflowTracking as TrackingTool
from bitface.adapters.video_files import describe_video, frames_of_video, read_video
from bitface.figure_ports import Figures, Mesh
from bitface.ledger.entries import ModelEntry
from bitface.page_ports import Pages
from bitface.params import SyntheticParams
from bitface.ports import (
    ExportBundle,
    Lineage,
    MeasureDrift,
    PlannedPerson,
    RenderedSample,
    Rivals,
    Runtime,
    Signer,
    TableChecks,
    Tracking,
)
from bitface.usecases.tools import OpenLandmarker, Ports, Warn
from bitface.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from bitface.faces.features import FaceValues
    from bitface.faces.synthetic.synthetic_people import SyntheticPerson, Variation
    from bitface.training.trained import TrainedModel

Rendered = Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]


def ports_of(place: Workspace, close_crashed: Callable[[], tuple[str, ...]]) -> Ports:
    """Every port of a workspace; nothing is opened yet."""
    return Ports(
        read_image=read_image,
        read_video=read_video,
        watch_video=frames_of_video,
        describe_video=describe_video,
        encode=encode_frames,
        decode=decode_frames,
        landmarker=partial(_landmarker, place),
        render=partial(_render_people, place.cache),
        redraw=partial(_redraw, place.cache),
        table_checks=_table_checks,
        measure_drift=_measure_drift,
        exporter=_exporter,
        load=_load,
        load_registered=_load_registered,
        rivals=_rivals,
        tracking=lambda: _tracking(place),
        lineage=partial(_lineage, place),
        pictures=partial(_pictures, place),
        signer=partial(_signer, place),
        close_crashed=close_crashed,
    )


def _tracking(place: Workspace) -> Tracking:
    return TrackingTool(place.home)


def _landmarker(place: Workspace) -> tuple[OpenLandmarker, str]:
    from bitface.adapters.mediapipe_landmarks import FaceLandmarks
    from bitface.adapters.model_assets import face_landmarker

    asset = face_landmarker(place.cache, os.environ)
    return partial(FaceLandmarks, asset.path), asset.sha256


def _render_people(
    cache: Path, params: SyntheticParams, seed: int, workers: int, only: Collection[str] | None = None
) -> Rendered:
    from bitface.adapters.synthetic_faces import render_people
    from bitface.faces.synthetic.synthetic_people import plan_people

    people = plan_people(params, seed)
    wanted = people if only is None else [person for person in people if person.record.person in only]
    yield from render_people(wanted, params, cache, workers)


def _redraw(
    cache: Path, jobs: Sequence[tuple[SyntheticPerson, Variation]], params: SyntheticParams, workers: int
) -> Rendered:
    from bitface.adapters.synthetic_faces import render_jobs

    yield from render_jobs(jobs, params, cache, workers)


def _table_checks() -> TableChecks:
    from bitface.adapters.data_gate.great_expectations_checks import check_tables
    from bitface.adapters.report_html import write_data_docs

    return partial(check_tables, write=write_data_docs)


def _measure_drift() -> MeasureDrift:
    from bitface.adapters.evidently_drift import drift_report

    return drift_report


def _exporter(seed: int) -> ExportBundle:
    from bitface.adapters.openvino_runtime import export_bundle
    from bitface.models.extraction import selftest_of

    def write(model: TrainedModel, folder: Path) -> object:
        folder.mkdir(parents=True, exist_ok=True)
        return export_bundle(model, selftest_of(model.network, seed), folder)

    return write


def _load(folder: Path) -> Runtime:
    from bitface.adapters.openvino_runtime import OneBitRuntime

    return OneBitRuntime.load(folder)


def _load_registered(folder: Path, entry: ModelEntry) -> Runtime:
    from bitface.adapters.openvino_runtime import OneBitRuntime

    return OneBitRuntime.load(folder, name=entry.name, version=str(entry.version), registered=entry.bundle_sha256)


@dataclass(frozen=True)
class _OtherRuntimes:
    """ONNX Runtime and OpenVINO, as `ports.Rivals`."""

    def export(self, module: nn.Module, example: FaceValues, path: Path) -> None:
        """Writes a float network for both."""
        from bitface.adapters.onnx_rivals import export_onnx

        export_onnx(module, example, path)

    def quantise(self, path: Path, faces: Sequence[FaceValues], out: Path) -> float:
        """Writes its int8 form; returns its deviation."""
        from bitface.adapters.onnx_rivals import quantise

        return quantise(path, faces, out)

    def runner(
        self, runtime: str, precision: str, path: Path, face: FaceValues
    ) -> Callable[[], NDArray[np.float32]] | None:
        """The runner of one of the two."""
        from bitface.adapters.onnx_rivals import onnx_runner
        from bitface.adapters.openvino_runtime.rivals import openvino_runner

        if runtime == "onnxruntime":
            return onnx_runner(path, face)
        return openvino_runner(path, face, precision)


def _rivals() -> Rivals:
    """Raises InputError at once if the extra `bench` is missing."""
    from bitface.adapters.onnx_rivals import check_installed

    check_installed()
    return _OtherRuntimes()


def _lineage(place: Workspace, warn: Warn) -> Lineage:
    """A file, and the server in OPENLINEAGE_URL."""
    from bitface.adapters.openlineage_export import LineageExport

    return LineageExport(place.home, os.environ.get("OPENLINEAGE_URL"), warn)


def _pictures(place: Workspace) -> tuple[Figures, Mesh, Pages]:
    from bitface.adapters import figures, report_html
    from bitface.adapters.canonical_mesh import read_canonical_mesh
    from bitface.adapters.model_assets import face_landmarker

    return figures, read_canonical_mesh(face_landmarker(place.cache, os.environ).path), report_html


def _signer(place: Workspace) -> Signer:
    from bitface.adapters.bundle_signing import BundleSigner

    return BundleSigner(place.keys)

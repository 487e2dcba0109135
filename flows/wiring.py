"""The only place that picks tools: changing one is one adapter and one line here."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitface.adapters.dvc_store import DvcStore
from bitface.adapters.media_files import decode_frames, encode_frames, read_image, read_video
from bitface.adapters.mlflow_tracking import MlflowTracking as TrackingTool
from bitface.adapters.prefect_processes import (
    TemporaryServer,
    check_server,
    client_settings,
    named_server,
    running_server,
)
from bitface.adapters.prefect_service import close_left_running
from bitface.adapters.terminal_progress import TerminalProgress
from bitface.dataset.decryptions import HEAD, DecryptionLog
from bitface.dataset.index import has_dataset
from bitface.dataset.keys import KeyStore
from bitface.dataset.master_key import given_master_keys
from bitface.dataset.prediction_log import PredictionLog
from bitface.errors import BitfaceError, InputError, IntegrityError
from bitface.figure_ports import Figures, Mesh
from bitface.ledger.entries import ModelEntry
from bitface.ledger.ledger import Ledger, utc_now
from bitface.ledger.status import ModelStatus
from bitface.page_ports import Pages
from bitface.params import Params, SyntheticParams, read_params
from bitface.ports import (
    CheckpointPlace,
    DecodeFrames,
    Door,
    EncodeFrames,
    ExportBundle,
    Landmarker,
    MeasureDrift,
    PlannedPerson,
    ReadImage,
    ReadVideo,
    RenderedSample,
    Runtime,
    TableChecks,
    Tracking,
)
from bitface.project import project_root
from bitface.steps.people.writing import Stores, Writer
from bitface.steps.people.writing import writing as open_writer
from bitface.surroundings import listening, user_name
from bitface.terminal_text import shown
from bitface.workspace import Workspace, check_places, open_workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from bitface.adapters.bundle_signing import BundleSigner
    from bitface.adapters.openlineage_export import LineageExport
    from bitface.faces.features import FaceValues
    from bitface.faces.synthetic.synthetic_people import SyntheticPerson, Variation
    from bitface.steps.answers.explain_faces import Explainer
    from bitface.steps.answers.frames import Frames
    from bitface.steps.answers.predict import Reader
    from bitface.steps.audits.checkpoints import Checkpoints
    from bitface.steps.judging.redrawn_faces import Redrawing
    from bitface.steps.judging.window import KeptFaces
    from bitface.steps.people.synthesis import Synthesis
    from bitface.steps.retrain.plan import Run
    from bitface.training.trained import TrainedModel

QUIET = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""No tool reports home, and none talks over the summary, unless the environment says otherwise. What goes wrong is said once, by us."""


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
    read_video: ReadVideo = read_video


def workspace() -> Workspace:
    """The workspace that the environment names."""
    return open_workspace(os.environ, project_root())


def quieten() -> None:
    """Sets what tools read from the environment, before they are imported; what is set already stays."""
    home = workspace().home
    for name, value in {**QUIET, "PREFECT_HOME": str(home / "prefect")}.items():
        os.environ.setdefault(name, value)
    served = None if "PREFECT_API_URL" in os.environ else running_server(home)
    if served:  # never one without the other: a password meant for another server would be told to this one
        os.environ.update(client_settings(served))


@cache
def start_server() -> TemporaryServer | None:
    """Prefect's temporary server for the flows of this process, unless the environment names a server: None then. It is started
    once; call it early, because it needs as long as importing flows does.
    """
    quieten()
    if named_server(os.environ):
        return None
    started = TemporaryServer(workspace().home, workspace().cache)
    os.environ.update(client_settings(started.access))
    return started


def prepare_server() -> None:
    """Before the first flow of a process: a server answers.

    Raises:
        InputError: the temporary one does not.
    """
    started = start_server()
    if started is None:
        return
    started.wait()
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()  # Prefect may have been imported before the address was known


def home_tag(place: Workspace) -> str:
    """What marks this installation's runs on a Prefect server that others use too."""
    return f"home-{hashlib.sha256(str(place.home.resolve()).encode()).hexdigest()[:12]}"


def open_tools(profile: str = "default", overrides: Sequence[str] = (), quiet: bool = False) -> Tools:
    """The tools of the environment's workspace; nothing is written before the first use."""
    quieten()
    place = workspace()
    return Tools(
        workspace=place,
        params=read_params(place.params, profile, overrides),
        profile=profile,
        store=open_store(place),
        keys=open_keys(place),
        ledger=open_ledger(place),
        progress=TerminalProgress(quiet),
    )


def open_store(place: Workspace) -> DvcStore:
    """The dataset folder's versions; nothing is opened yet."""
    return DvcStore(place.data, place.root, place.home)


def open_keys(place: Workspace) -> KeyStore:
    """The key store: its master key from the environment or a command where they give one, every opening of a real person's key noted."""
    from bitface.steps.audits.audit import DECRYPTIONS

    purpose = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    log = DecryptionLog(place.home / DECRYPTIONS, place.keys / HEAD, user_name(), purpose, utc_now)
    given = cache(partial(given_master_keys, os.environ))  # a command that prints it may take its time
    return KeyStore(place.keys, given, log.opened, beside=place.data)


def open_doors() -> tuple[Door, ...]:
    """Every port that a process of ours listens on now, and how strangers get in."""
    from bitface.adapters.servers.strangers import open_ports

    return open_ports(os.environ.get("PREFECT_API_URL"))


def open_ledger(place: Workspace) -> Ledger:
    """The ledger: SQLite in the workspace, or the SQLAlchemy URL in BITFACE_LEDGER_URL; signed ends of its log in home and in
    BITFACE_CHECKPOINTS, and the book of the erased, by which a ledger that is older than an erasure is noticed.
    """
    from bitface.ledger.trust import Trust

    trust = Trust(
        note=place.home / "ledger.verified",
        key=place.keys / "ledger.key",
        ends=open_checkpoints(place),
        erased=open_keys(place).erased_of,
    )
    return Ledger(os.environ.get("BITFACE_LEDGER_URL") or place.ledger_url, trust=trust)


def open_checkpoints(place: Workspace) -> Checkpoints:
    """Signed ends of the log, in home and in BITFACE_CHECKPOINTS, dated by BITFACE_TIMESTAMPS; nothing is opened yet."""
    from bitface.steps.audits.checkpoints import Checkpoints

    return Checkpoints(
        home=place.home,
        place=_checkpoint_place(os.environ.get("BITFACE_CHECKPOINTS", ""), place.home),
        learn=lambda book, name: open_keys(place).learn_suppressed(book, name),
        tell=lambda text: sys.stderr.write(f"warning: {shown(text)}\n"),
        now=utc_now,
        stamp=_stamp(os.environ.get("BITFACE_TIMESTAMPS", "")),
    )


def places_elsewhere() -> dict[str, str]:
    """The variables by which whoever runs a flow later compares with the same place; what opens it (AWS_..., an ssh key) is their own."""
    names = ("BITFACE_CHECKPOINTS", "BITFACE_TIMESTAMPS", "BITFACE_TIMESTAMPS_CA")
    return {name: os.environ[name] for name in names if name in os.environ}


def _stamp(authority: str) -> Callable[[bytes], bytes] | None:
    """Asks an authority for time stamps; None where none is named."""

    def stamp(data: bytes) -> bytes:
        from bitface.adapters.time_stamps import stamp_over

        return stamp_over(data, authority)

    return stamp if authority else None


def _checkpoint_place(setting: str, home: Path) -> CheckpointPlace | None:
    """A folder, s3://bucket/prefix, git+file:///repository or git+ssh://host/repository; None where nothing is set."""
    if not setting:
        return None
    if setting.startswith("s3://"):
        from bitface.adapters.checkpoint_places.s3 import S3Place

        return S3Place(setting)
    if setting.startswith(("git+file://", "git+ssh://")):
        from bitface.adapters.checkpoint_places.git import GitPlace

        return GitPlace(setting.removeprefix("git+"), home / "checkpoints.git")
    if "://" in setting:
        raise InputError(
            f"BITFACE_CHECKPOINTS begins with '{setting.partition('://')[0][:20]}://'; name a folder, s3://bucket/prefix, "
            "git+file:///folder/repository.git or git+ssh://host/repository.git"
        )
    from bitface.adapters.checkpoint_places.folder import FolderPlace

    return FolderPlace(Path(setting).expanduser().absolute())


def worker_threads() -> int:
    """Threads that map over people: as many as cores, four at most."""
    return min(4, os.cpu_count() or 1)


def render_people(
    cache: Path, params: SyntheticParams, seed: int, workers: int, only: Collection[str] | None = None
) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]:
    """Synthetic adults by anny; imported here because it takes seconds."""
    from bitface.adapters.synthetic_faces import render_people as render
    from bitface.faces.synthetic.synthetic_people import plan_people

    people = plan_people(params, seed)
    wanted = people if only is None else [person for person in people if person.record.person in only]
    yield from render(wanted, params, cache, workers)


def renderer(tools: Tools) -> Callable[..., Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]]:
    """The renderer with its build cache."""
    return partial(render_people, tools.workspace.cache)


def render_jobs(
    cache: Path, jobs: Sequence[tuple[SyntheticPerson, Variation]], params: SyntheticParams, workers: int
) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]:
    """Synthetic adults as they are, or changed in one thing."""
    from bitface.adapters.synthetic_faces import render_jobs as render

    yield from render(jobs, params, cache, workers)


def redrawing(tools: Tools) -> Redrawing:
    """What re-rendering synthetic people, and looking at them, works with."""
    from bitface.steps.judging.redrawn_faces import Redrawing

    make, sha256 = landmarker(tools)
    return Redrawing(
        render=partial(render_jobs, tools.workspace.cache),
        encode=tools.encode,
        decode=tools.decode,
        landmarker=make,
        asset_sha256=sha256,
        stages=tools.workspace.stages,
        keys=tools.keys,
        workers=tools.params.features.workers,
    )


def stores(tools: Tools, data: Path | None = None) -> Stores:
    """All that a change of the dataset touches; of another folder than the workspace's where `data` names one."""
    return Stores(
        data=data or tools.workspace.data,
        home=tools.workspace.home,
        keys=tools.keys,
        ledger=tools.ledger,
        store=tools.store,
    )


def writing(
    tools: Tools, doing: str, tell: Callable[[str], None] = lambda _: None, data: Path | None = None
) -> AbstractContextManager[Writer]:
    """The right to change the dataset, with whoever is known elsewhere to have been erased known here. Raises what `people.writing.writing`
    raises.
    """
    open_checkpoints(tools.workspace).learn_elsewhere()
    return open_writer(stores(tools, data), doing, tools.params.schedule.writer_wait_s, tell)


def synthesis(tools: Tools) -> Synthesis:
    """How the default dataset is rendered."""
    from bitface.steps.people.synthesis import Synthesis

    params = tools.params
    return Synthesis(
        params=params.synthetic,
        seed=params.seed,
        workers=params.features.workers,
        render=renderer(tools),
        encode=tools.encode,
        report=tools.progress,
    )


def synthesise(tools: Tools, writer: Writer) -> None:
    """Renders the default dataset into the dataset folder; pins nothing."""
    from bitface.steps.people.synthesis import synthesise as render

    render(writer, synthesis(tools), "none")


def confirmed(tools: Tools) -> tuple[str, ...]:
    """Draws again whoever claims to be synthetic and was not drawn here; a sentence where there was somebody."""
    from bitface.steps.people.synthesis import confirm

    return confirm(tools.workspace.data, synthesis(tools), tools.ledger)


def landmarker(tools: Tools) -> tuple[Callable[..., Landmarker], str]:
    """Opens landmarkers, and the SHA-256 of the model they use."""
    from bitface.adapters.mediapipe_landmarks import FaceLandmarks
    from bitface.adapters.model_assets import face_landmarker

    asset = face_landmarker(tools.workspace.cache, os.environ)
    return partial(FaceLandmarks, asset.path), asset.sha256


def face_reader(tools: Tools, runtime: Runtime, faces: int | None, explain: bool, keep: KeptFaces | None) -> Reader:
    """What `predict` reads pictures with; `faces` of one picture are answered, None: as many as params.yaml says."""
    from bitface.steps.answers.predict import Reader

    make, _ = landmarker(tools)
    faces_max = faces or tools.params.predict.faces_max
    return Reader(
        runtime=runtime,
        open_landmarker=partial(make, faces_max=faces_max + 1),
        features=tools.params.features,
        read=tools.read_image,
        faces_max=faces_max,
        explain=explain,
        keep=keep,
    )


def face_explainer(tools: Tools, runtime: Runtime, faces: int | None) -> Explainer:
    """What `explain` works with; `faces` of one picture are explained, None: as many as params.yaml says."""
    from bitface.steps.answers.explain_faces import Explainer

    make, _ = landmarker(tools)
    faces_max = faces or tools.params.predict.faces_max
    return Explainer(
        runtime=runtime,
        graph=training_graph(tools, runtime),
        open_landmarker=partial(make, faces_max=faces_max + 1),
        features=tools.params.features,
        params=tools.params.explain,
        seed=tools.params.seed,
        read=tools.read_image,
        read_video=tools.read_video,
        faces_max=faces_max,
    )


def featuriser(tools: Tools) -> Any:
    """What the featurise step works with."""
    from bitface.steps.retrain.featurise import Featuriser
    from bitface.training.image_augmentation import augmented

    make, sha256 = landmarker(tools)
    return Featuriser(
        data=tools.workspace.data,
        features=tools.workspace.stages / "features",
        keys=tools.keys,
        params=tools.params,
        decode=tools.decode,
        augment=augmented,
        landmarker=make,
        asset_sha256=sha256,
    )


def table_checks() -> TableChecks:
    """The suites, by Great Expectations."""
    from bitface.adapters.great_expectations_checks import check_tables

    return check_tables


def measure_drift() -> MeasureDrift:
    """The drift report, by Evidently."""
    from bitface.adapters.evidently_drift import drift_report

    return drift_report


def export_bundle(seed: int) -> ExportBundle:
    """The bundle of a one-bit model, by OpenVINO; its self-test is drawn at random, nobody's face."""
    from bitface.adapters.openvino_runtime import export_bundle as export
    from bitface.models.extraction import selftest_of

    def write(model: TrainedModel, folder: Path) -> object:
        folder.mkdir(parents=True, exist_ok=True)
        return export(model, selftest_of(model.network, seed), folder)

    return write


def load_runtime(folder: Path) -> Runtime:
    """The bundle in a folder, verified and self-tested."""
    from bitface.adapters.openvino_runtime import OneBitRuntime

    return OneBitRuntime.load(folder)


@dataclass(frozen=True)
class OtherRuntimes:
    """ONNX Runtime and OpenVINO, as `ports.Rivals`."""

    def export(self, module: nn.Module, example: FaceValues, path: Path) -> None:
        """Writes a float network for both."""
        from bitface.adapters.onnx_rivals import export_onnx

        export_onnx(module, example, path)

    def quantise(self, path: Path, faces: Sequence[FaceValues], out: Path) -> float:
        """Writes its int8 form; returns how far that is off."""
        from bitface.adapters.onnx_rivals import quantise

        return quantise(path, faces, out)

    def runner(
        self, runtime: str, precision: str, path: Path, face: FaceValues
    ) -> Callable[[], NDArray[np.float32]] | None:
        """Calls one of the two."""
        from bitface.adapters.onnx_rivals import onnx_runner
        from bitface.adapters.openvino_runtime.rivals import openvino_runner

        if runtime == "onnxruntime":
            return onnx_runner(path, face)
        return openvino_runner(path, face, precision)


def other_runtimes() -> OtherRuntimes:
    """ONNX Runtime and OpenVINO; raises InputError at once where the extra `bench` is missing."""
    from bitface.adapters.onnx_rivals import check_installed

    check_installed()
    return OtherRuntimes()


def tracking(place: Workspace) -> Tracking:
    """What reviewers look at."""
    return TrackingTool(place.home)


def lineage(tools: Tools, warn: Callable[[str], None]) -> LineageExport:
    """Where lineage events go: a file, and the server in OPENLINEAGE_URL."""
    from bitface.adapters.openlineage_export import LineageExport

    return LineageExport(tools.workspace.home, os.environ.get("OPENLINEAGE_URL"), warn)


def pictures(place: Workspace) -> tuple[Figures, Mesh, Pages]:
    """The figures adapter, the canonical mesh, and the report adapter."""
    from bitface.adapters import figures, report_html
    from bitface.adapters.canonical_mesh import read_canonical_mesh
    from bitface.adapters.model_assets import face_landmarker

    return figures, read_canonical_mesh(face_landmarker(place.cache, os.environ).path), report_html


def ended(tools: Tools) -> tuple[str, ...]:
    """Closes what a killed retrain left open in MLflow and Prefect; only for whoever holds the lease. A sentence for each."""
    shown = tracking(tools.workspace).end_interrupted()
    return (*shown, *close_left_running("retrain", home_tag(tools.workspace)))


def failed(tools: Tools, runs: Sequence[Run], error: BaseException, warn: Callable[[str], None]) -> None:
    """Says on the pages of runs, and to other catalogues, why they ended; a defect is reported by its type only."""
    from bitface.steps.versions.register import traced

    why = " ".join(str(error).split()) if isinstance(error, BitfaceError) else f"{type(error).__name__}, see the log"
    for run in runs:
        tracking(tools.workspace).fail(run.run_id, why)
        lineage(tools, warn).failed(traced(run), why, tools.now())


def reconciled(tools: Tools) -> tuple[str, ...]:
    """Makes MLflow show what the ledger says; a sentence for each thing that it did not. Nothing is opened where nothing is on record."""
    from bitface.steps.versions.reconcile import reconcile

    return reconcile(tools.workspace.runs, tools.ledger, lambda: tracking(tools.workspace))


def signer(place: Workspace) -> BundleSigner:
    """What models are signed by."""
    from bitface.adapters.bundle_signing import BundleSigner

    return BundleSigner(place.keys)


def signed_runtime(tools: Tools, reference: str = "champion") -> Runtime:
    """A model to judge or compare with, where everybody in it allows that now. Raises what `served_runtime` raises, too.

    Raises:
        RefusedError: what `ledger.use.check_judged` refuses. InputError: no such model.
    """
    from bitface.steps.versions.model_choice import find_model

    entry = find_model(reference, tools.ledger)
    tools.ledger.check_judged(entry)
    return served_runtime(tools, entry)


def served_runtime(tools: Tools, entry: ModelEntry) -> Runtime:
    """The bundle that the ledger registered under a version, and no other: signed, its digest checked on the bytes that are used.

    Raises:
        IntegrityError: its files are gone, or are not the registered ones.
    """
    from bitface.adapters.openvino_runtime import OneBitRuntime
    from bitface.steps.versions.served import served_folder

    folder = served_folder(entry, tools.workspace.runs, tools.ledger)
    signer(tools.workspace).verify(folder)
    return OneBitRuntime.load(folder, name=entry.name, version=str(entry.version), registered=entry.bundle_sha256)


def open_runtime(tools: Tools, reference: str | None, purpose: str, context: str) -> Runtime:
    """A model for prediction, where it may be used (`ledger.use` decides). Where none is named, the champion; while there is none, the
    demo.

    Raises:
        RefusedError: this use is refused. InputError: no such model. IntegrityError: its files are not the registered ones.
    """
    from bitface.steps.versions.model_choice import choose_model

    with tools.ledger as ledger:
        ledger.check_any_use(purpose, context)
        entry = choose_model(reference, purpose, ledger)
        ledger.check_use(entry, purpose, context)
        return served_runtime(tools, entry)


def frames_to_show(tools: Tools, path: Path, purpose: str, context: str) -> Frames:
    """The frames of a picture or a clip whose faces may be put on a page: these are shown, whatever becomes of the file meanwhile.

    Raises:
        RefusedError: policy refuses purpose or context; or somebody on it is on record, and does not allow to be shown.
        InputError: nothing there that can be read.
    """
    from bitface.steps.answers.frames import frames_of
    from bitface.steps.answers.showing import Album, check_shown
    from bitface.steps.people.on_record import OnRecord
    from bitface.steps.people.reentry import reentry

    with tools.ledger as ledger:
        ledger.check_any_use(purpose, context)
        frames = frames_of(path, tools.params.explain.clip_frames, tools.read_image, tools.read_video)
        record, gone = OnRecord(tools.workspace.data, tools.keys), reentry(tools.keys, tools.workspace.home)
        check_shown(frames.pictures, context, Album(record=record, gone=gone, ledger=ledger, encode=tools.encode))
    return frames


def status_of(tools: Tools, runtime: Runtime) -> ModelStatus:
    """How the version of an opened model stands now."""
    with tools.ledger as ledger:
        entry = ledger.model(int(runtime.version), runtime.name)
        if entry is None:
            raise IntegrityError(f"{runtime.name}/{runtime.version} is not on record; restore the ledger")
        return ledger.status(entry)


def ready(profile: str = "default", overrides: Sequence[str] = ()) -> Tools:
    """The tools for a command that writes: what could not be kept is refused at once, and home is made, in which tools make folders of
    their own.

    Raises:
        InputError: a parameter is none; home, the dataset's folder or the cache cannot be written.
    """
    tools = open_tools(profile, overrides)
    check_places(tools.workspace)
    tools.workspace.home.mkdir(parents=True, exist_ok=True)
    return tools


def ready_for_flow(profile: str = "default", overrides: Sequence[str] = ()) -> Tools:
    """The same for a command that runs a flow.

    Raises:
        InputError: also, PREFECT_API_URL names a server that does not answer.
    """
    tools = ready(profile, overrides)
    check_server(named_server(os.environ))
    return tools


def check_retrain(profile: str, overrides: Sequence[str], purpose: str, context: str | None) -> None:
    """Says at once what the plan of a retrain would say only after Prefect has started.

    Raises:
        RefusedError: purpose or context are refused, or nobody is admitted. InputError: a parameter is none, or the people are too few.
    """
    from bitface.consent.policy import check_training
    from bitface.steps.retrain.plan import Request, check_people, members_of

    tools = ready_for_flow(profile, overrides)
    data, params, now = tools.workspace.data, tools.params, tools.now()
    asked = context or params.gate.context
    with tools.ledger as ledger:
        for at in ledger.moments(now):
            check_training(purpose, asked, at, ledger.context_approvals())
        check_people_here(tools)
        if has_dataset(data):
            members, _ = members_of(data, Request(purpose=purpose, context=asked, at=now, params=params), None, ledger)
            check_people(members, params)


def check_people_here(tools: Tools) -> None:
    """Raises RefusedError where somebody who was erased is here again, and InputError where everybody in the dataset was erased."""
    from bitface.steps.people.contents import check_not_empty
    from bitface.steps.people.erasure_people import check_nobody_returned, returned

    place = tools.workspace
    open_checkpoints(place).latest_elsewhere()  # by which whoever was erased is known after home was put back
    check_nobody_returned(returned(tools.keys, tools.ledger, place.home, place.data))
    check_not_empty(place.data)


def prediction_log(tools: Tools) -> PredictionLog:
    """What `predict --log` kept."""
    return PredictionLog(tools.workspace.home / "predictions", tools.keys)


def kept_faces(tools: Tools, runtime: Runtime, purpose: str, context: str) -> KeptFaces:
    """Collects faces for the log."""
    from bitface.steps.judging.window import KeptFaces

    return KeptFaces(runtime, purpose, context, prediction_log(tools), tools.now())


def training_graph(tools: Tools, runtime: Runtime) -> TrainedModel | None:
    """The network that a registered bundle was made from, where this machine trained it and still has it."""
    from bitface.steps.retrain.train import find_trained

    with tools.ledger as ledger:
        entry = next((model for model in ledger.models() if model.bundle_sha256 == runtime.digest), None)
    return None if entry is None else find_trained(tools.workspace.stages, entry.weights_sha256)


def serve_ui(port: int) -> int:
    """Serves the tracking tool's pages on 127.0.0.1 until they end or are stopped, with every process; what they returned.

    Raises:
        InputError: the port is none, or taken; or the tool has no pages to serve.
    """
    place = ready().workspace
    with listening(port) as listener:
        return tracking(place).serve(listener, os.environ, partial(print, end="", flush=True))


def stamp_of(checkpoint: Path) -> list[dict[str, Any]]:
    """When a checkpoint was there by the time stamp beside it, a record for an auditor; nothing where there is no stamp.

    Raises:
        InputError: BITFACE_TIMESTAMPS_CA names no certificate. IntegrityError: the stamp is not that authority's, or of other bytes.
    """
    from bitface.steps.audits.checkpoints import STAMP

    stamp = checkpoint.with_suffix(STAMP)
    if not stamp.is_file():
        return []
    from bitface.adapters.time_stamps import stamped_at

    at = stamped_at(stamp.read_bytes(), checkpoint.read_bytes(), os.environ.get("BITFACE_TIMESTAMPS_CA", ""))
    return [{"kind": "time stamp", "file": stamp.name, "at": at.isoformat()}]


def continue_log(tools: Tools, named: str, why: str, key: Path | None) -> None:
    """Goes on though a newer log is lost; whoever is known to have been erased must be gone first. Raises what its steps raise."""
    from bitface.steps.audits.continuing import continue_after, missing_end
    from bitface.steps.people.erasure_people import check_nobody_returned, returned

    place, keys = tools.workspace, tools.keys
    missing, said = missing_end(named, open_checkpoints(place))
    if "erased" in said:
        keys.learn_suppressed(said["erased"], missing.name)
    check_nobody_returned(returned(keys, tools.ledger, place.home, place.data))
    continue_after(missing, user_name(), why, key, tools.ledger)

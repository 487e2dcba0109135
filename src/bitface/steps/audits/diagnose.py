"""Checks everything that a run needs, and gives a remedy for each thing that is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sqlalchemy.exc import SQLAlchemyError

from bitface.counted_words import counted, counted_people
from bitface.dataset.index import INDEX_NAME
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import verify_manifest
from bitface.dataset.swap import headless
from bitface.errors import BitfaceError
from bitface.ledger.ledger import Ledger
from bitface.ledger.moments import clock_behind, utc_now
from bitface.ledger.trusted_log import GO_ON
from bitface.params import read_params
from bitface.ports import DatasetStore, Door
from bitface.steps.audits.checkpoints import VARIABLE, Checkpoints
from bitface.steps.people.erasure_journal import being_erased, journals
from bitface.surroundings import explained
from bitface.workspace import Workspace, trouble_in

PACKAGES: Final = (
    "prefect",
    "mlflow",
    "dvc",
    "torch",
    "torchvision",
    "captum",
    "mediapipe",
    "great-expectations",
    "evidently",
    "openvino",
    "anny",
)
_GIB: Final = 1024**3
_DISK_NEEDED_GIB: Final = 2.0  # a default run leaves about 1 GiB in .bitface, data and caches


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One row of the report; `remedy` is empty if nothing needs to be done."""

    what: str
    state: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


_NO_DOORS: Final = Finding(what="ports", state="ok", found="no bitface server is running")


def diagnose(
    place: Workspace,
    store: DatasetStore,
    keys: KeyStore,
    ledger: Ledger,
    doors: Callable[[], Sequence[Door]] = tuple,
    checkpoints: Checkpoints | None = None,
) -> tuple[Finding, ...]:
    """All findings, in the order in which a run would encounter them."""
    looks: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("python", lambda: [_python()]),
        ("packages", lambda: _packages(place.root / "constraints.txt")),
        ("processor", lambda: [_processor()]),
        ("parameters", lambda: [_parameters(place.params)]),
        ("places", lambda: _places(place)),
        ("disk", lambda: [_disk(place.home)]),
        ("face landmarker", lambda: [_asset(place.cache)]),
        ("dataset", lambda: [_dataset(place.data, store)]),
        ("keys", lambda: [_keys(place.keys, keys)]),
        ("ledger", lambda: [_ledger(ledger)]),
        ("clock", lambda: _clock(ledger)),
        ("checkpoints", lambda: [_checkpoints(checkpoints, ledger)] if checkpoints else []),
        ("erasures", lambda: [_erasures(place.home)]),
        ("ports", lambda: [_door(door) for door in doors()] or [_NO_DOORS]),
    )
    return tuple(row for what, look in looks for row in _looked(what, look))


def _looked(what: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The rows of one check; a check that fails is a row too, so that the others are still shown."""
    try:
        return list(look())
    except BitfaceError as error:
        found, _, remedy = str(error).rpartition("; ")
        return [Finding(what=what, state="fail", found=found or remedy, remedy=remedy)]
    except Exception as error:  # noqa: BLE001 - whatever is broken, the doctor keeps going
        found, _, remedy = (explained(error) or f"{type(error).__name__}: {error}").rpartition("; ")
        return [Finding(what=what, state="fail", found=found or remedy, remedy=remedy if found else "report it")]


def _parameters(path: Path) -> Finding:
    read_params(path)
    return Finding(what="parameters", state="ok", found=path.name)


def _places(place: Workspace) -> Iterator[Finding]:
    trouble = trouble_in(place)
    for name, folder in (("home", place.home), ("data", place.data), ("cache", place.cache)):
        found, _, remedy = trouble.get(name, f"{folder} can be written").rpartition("; ")
        state: Literal["ok", "fail"] = "fail" if name in trouble else "ok"
        yield Finding(what=name, state=state, found=found or remedy, remedy=remedy if found else "")


def _python() -> Finding:
    return Finding(what="python", state="ok", found=platform.python_version())


def _packages(constraints: Path) -> Iterator[Finding]:
    pins = {}
    if constraints.is_file():
        lines = (line.split("==") for line in constraints.read_text().splitlines() if "==" in line)
        pins = {name.strip().lower().replace("_", "-"): version.strip() for name, version in lines}
    for name in PACKAGES:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(what=name, state="fail", found="not installed", remedy="make retrain installs it")
            continue
        wanted = pins.get(name, found)
        if wanted in (found, found.partition("+")[0]):
            yield Finding(what=name, state="ok", found=found)
        else:
            remedy = f"pip install -c constraints.txt {name}=={wanted}"
            yield Finding(what=name, state="warn", found=f"{found}, pinned {wanted}", remedy=remedy)


def _processor() -> Finding:
    cores = os.cpu_count() or 1
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        flags = ""
    fast = "AVX-512 VPOPCNTDQ" if "avx512_vpopcntdq" in flags else "AVX2" if "avx2" in flags else "AVX2 not found"
    return Finding(what="processor", state="ok", found=f"{platform.machine()}, {cores} cores, {fast}")


def _disk(home: Path) -> Finding:
    existing = next(folder for folder in (home, *home.parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free / _GIB
    if free < _DISK_NEEDED_GIB:
        remedy = f"free {_DISK_NEEDED_GIB:g} GiB, or move BITFACE_HOME"
        return Finding(what="disk", state="fail", found=f"{free:.1f} GiB free", remedy=remedy)
    return Finding(what="disk", state="ok", found=f"{free:.0f} GiB free")


def _asset(cache: Path) -> Finding:
    configured = os.environ.get("BITFACE_FACE_LANDMARKER")
    path = Path(configured) if configured else cache / "models" / "face_landmarker.task"
    if path.is_file():
        return Finding(what="face landmarker", state="ok", found=f"{path.stat().st_size} bytes, verified when opened")
    remedy = "the first run downloads it; offline, set BITFACE_FACE_LANDMARKER"
    return Finding(what="face landmarker", state="warn", found="not downloaded yet", remedy=remedy)


def _dataset(data: Path, store: DatasetStore) -> Finding:
    if not (data / INDEX_NAME).is_file():
        if lost := headless(data):
            found, _, remedy = lost.partition("; ")
            return Finding(what="dataset", state="fail", found=found, remedy=remedy)
        remedy = "make retrain pulls or renders one; `bitface data import` imports real people"
        return Finding(what="dataset", state="warn", found="none yet", remedy=remedy)
    try:
        verify_manifest(data)
    except BitfaceError as error:
        return Finding(
            what="dataset", state="fail", found=str(error).partition("; ")[0], remedy=_restored(data, store, force=True)
        )
    version, pinned = store.version(), store.pinned()
    if pinned is not None and version != pinned:
        remedy = f"{_restored(data, store)}; `bitface data synthesize` or `import` pins a new one"
        return Finding(what="dataset", state="warn", found=f"{version[:12]}, pinned {pinned[:12]}", remedy=remedy)
    return Finding(what="dataset", state="ok", found=f"{version[:12]}, every file as recorded")


def _restored(data: Path, store: DatasetStore, force: bool = False) -> str:
    """How to restore the pinned version: DVC can only check out what its cache contains."""
    if store.restorable():
        return (
            f"`dvc checkout {'--force ' if force else ''}{data.name}.dvc` in {data.parent} restores the pinned version"
        )
    if not force:
        return "the pinned version is not stored on this machine; runs use and record the current one"
    return f"no stored version can replace it: move {data.name}/ away, then run make retrain or import people again"


def _keys(folder: Path, keys: KeyStore) -> Finding:
    try:
        place = keys.place_of_master()
        if keys.is_published():
            elsewhere = ", with another in BITFACE_MASTER_KEY_NEXT" if place == "elsewhere" else ""
            remedy = f"`bitface keys rotate`{elsewhere}; treat data stored until now as disclosed"
            return Finding(what="keys", state="fail", found="the master key is the published demo key", remedy=remedy)
    except BitfaceError as error:
        return Finding(what="keys", state="fail", found=str(error), remedy="correct the variable, or unset it")
    if place == "nowhere":
        return Finding(what="keys", state="ok", found="none needed: no real person is enrolled")
    if place == "elsewhere":
        return Finding(
            what="keys",
            state="ok",
            found=f"master key kept outside bitface, {counted_people(keys.people())}'s keys in home",
        )
    if stat.S_IMODE((folder / "master.key").stat().st_mode) != 0o600 or stat.S_IMODE(folder.stat().st_mode) != 0o700:
        remedy = f"chmod 700 {folder.name} and chmod 600 {folder.name}/master.key"
        return Finding(what="keys", state="fail", found="other users can read the master key", remedy=remedy)
    return Finding(what="keys", state="ok", found=f"master key and {counted_people(keys.people())}'s keys, owner only")


def _ledger(ledger: Ledger) -> Finding:
    try:
        report = ledger.verify_chain()
    except SQLAlchemyError as error:
        return Finding(
            what="ledger", state="fail", found=type(error).__name__, remedy="check BITFACE_LEDGER_URL and its server"
        )
    if not report.intact:
        found = f"entry {report.problems[0].seq}: {report.problems[0].what}"
        return Finding(
            what="ledger", state="fail", found=found, remedy="restore it from its backup and compare checkpoints"
        )
    return Finding(
        what="ledger", state="ok", found=f"{counted(report.checkpoint.size, 'entry', 'entries')}, chain intact"
    )


def _clock(ledger: Ledger) -> Iterator[Finding]:
    found, _, remedy = clock_behind(utc_now(), ledger.latest_entry_at()).rpartition("; ")
    if found:
        yield Finding(what="clock", state="warn", found=found, remedy=remedy)


def _checkpoints(checkpoints: Checkpoints, ledger: Ledger) -> Finding:
    if checkpoints.place is None:
        remedy = (
            f"set {VARIABLE} to a folder, bucket or git repository elsewhere: it reveals a home that was rolled back"
        )
        before = checkpoints.forgotten()
        found = f"kept only in this home{f', previously also in {before}' if before else ''}"
        return Finding(what="checkpoints", state="warn", found=found, remedy=remedy)
    latest = checkpoints.latest_elsewhere()
    name = checkpoints.place.name
    if latest is not None and not ledger.holds(latest):
        found = f"{name} has {counted(latest.size, 'entry', 'entries')} that this ledger lacks"
        return Finding(what="checkpoints", state="fail", found=found, remedy=GO_ON)
    checkpoints.check_writing()
    at = checkpoints.exported()
    export = f"last exported on {at[:10]} at {at[11:16]} UTC" if at else "nothing exported yet"
    return Finding(what="checkpoints", state="ok", found=f"{name} is readable and writable, {export}")


def _erasures(home: Path) -> Finding:
    leaving, begun = len(being_erased(home)), sum(1 for _ in journals(home, utc_now))
    if not begun:
        return Finding(what="erasures", state="ok", found="none unfinished")
    found = f"{begun} unfinished, of {counted_people(leaving)}"
    return Finding(what="erasures", state="fail", found=found, remedy="finish with `bitface erase --resume`")


def _door(door: Door) -> Finding:
    what = f"port {door.port}"
    if door.open_to is None:
        remedy = "it may still be starting: run doctor again"
        return Finding(what=what, state="warn", found=f"{door.tool} does not answer", remedy=remedy)
    if not door.open_to:
        return Finding(what=what, state="ok", found=f"{door.tool} refuses unauthorised access")
    found = f"{door.tool} is open to unauthorised access: {', '.join(door.open_to)}"
    if door.process is None:
        remedy = "set PREFECT_SERVER_API_AUTH_STRING there and PREFECT_API_AUTH_STRING here, or unset PREFECT_API_URL"
        return Finding(what=what, state="warn", found=found, remedy=remedy)
    remedy = f"stop process {door.process}, then start this version's `bitface ui` or `bitface worker`"
    return Finding(what=what, state="fail", found=found, remedy=remedy)

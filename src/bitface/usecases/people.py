"""Imports people into the dataset or renders them, under the one write lock; and checks whether they can be trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bitface.consent.policy import check_training
from bitface.dataset.incoming.subject_ids import normal_id
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.interrupted_import import ImportSpool, discard_outdated
from bitface.faces.media.frame_choice import around_apex
from bitface.faces.records import is_synthetic
from bitface.params import PROFILES, read_params
from bitface.steps.bringing.gate_forecast import GateForecast, forecast_gate
from bitface.steps.people.brought_consents import BroughtConsents
from bitface.steps.people.consents import clock_warning
from bitface.steps.people.contents import check_not_empty
from bitface.steps.people.erasure_people import check_none_returned, returned
from bitface.steps.people.intake import IntakeReport, Pictures, foresee_import, import_people
from bitface.steps.people.reading.clips import Videos
from bitface.steps.people.sources import FolderFiles, FormatReader, Here, Source
from bitface.steps.people.synthesis import Synthesis, confirm, synthesise
from bitface.steps.people.writing import Stores, Writer
from bitface.steps.people.writing import writing as open_writer
from bitface.steps.retrain.plan import Request, check_people, members_of
from bitface.usecases.tools import Tools


def stores_of(tools: Tools, data: Path | None = None) -> Stores:
    """Everything that a change of the dataset touches; `data` names a folder other than the workspace's."""
    return Stores(
        data=data or tools.workspace.data,
        home=tools.workspace.home,
        keys=tools.keys,
        ledger=tools.ledger,
        store=tools.store,
    )


def writing(
    tools: Tools, doing: str, notify: Callable[[str], None] = lambda _: None, data: Path | None = None
) -> AbstractContextManager[Writer]:
    """The right to change the dataset, after learning of erasures recorded elsewhere. Raises what `people.writing.writing`
    raises.
    """
    tools.checkpoints.learn_elsewhere()
    return open_writer(stores_of(tools, data), doing, tools.params.schedule.writer_wait_s, notify)


def synthesis_of(tools: Tools) -> Synthesis:
    """How the default dataset is rendered."""
    params = tools.params
    return Synthesis(
        params=params.synthetic,
        seed=params.seed,
        workers=params.features.workers,
        render=tools.ports.render,
        encode=tools.ports.encode,
        report=tools.progress,
    )


def render_default(tools: Tools, writer: Writer) -> None:
    """Renders the default dataset into the dataset folder; pins nothing."""
    synthesise(writer, synthesis_of(tools), "none")


def confirmed(tools: Tools) -> tuple[str, ...]:
    """Renders again people marked synthetic who were not rendered here; a sentence if there were any."""
    return confirm(tools.workspace.data, [synthesis_of(tools), *_of_other_profiles(tools)], tools.ledger)


def _of_other_profiles(tools: Tools) -> list[Synthesis]:
    others = [read_params(tools.workspace.params, profile) for profile in PROFILES if profile != tools.profile]
    return [synthesis_of(replace(tools, params=params)) for params in others]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person says of an import beside its files: ids that were looked at, and whether synthetic people stay."""

    reviewed: Sequence[str] = ()
    keeps_synthetic: bool = False


@dataclass(frozen=True, kw_only=True)
class Import:
    """The result of an import: its report, the consents that came with it, and a warning if this machine's clock is behind; of a dry run
    also what the gate could decide afterwards.
    """

    report: IntakeReport
    consents: BroughtConsents
    source: Source
    clock: str | None
    people_rendered: int = 0
    """Synthetic people who are in the dataset beside those who were imported."""
    forecast: GateForecast | None = None


def import_source(
    reader: FormatReader,
    files: FolderFiles,
    asked: Asked,
    tools: Tools,
    notify: Callable[[str], None],
    dry_run: bool = False,
) -> Import:
    """Imports people: notices and consents are recorded first, even if the pictures fail; a dry run records nothing.

    Raises:
        InputError, RefusedError: what the format's reader and `people.intake.import_people` raise.
    """
    at = tools.now()
    with tools.ledger as ledger, tools.progress as report:
        installation = Here(keys=tools.keys, ledger=ledger, at=at)
        consents = reader.consents(files, installation)
        behind = clock_warning(ledger, at)
        if not dry_run:
            discard_outdated(tools.workspace.home, tools.keys, at)
            consents.record(reader.notices(files), ledger)
        with consents.naming_recorded_events(dry_run):
            brought = reader.source(files, consents, installation)
            pictures = Pictures(
                read=partial(tools.ports.read_image, below=files.folder),
                videos=Videos(
                    describe=tools.ports.describe_video, watch=tools.ports.watch_video, params=tools.params.video
                ),
                choose=partial(around_apex, window_s=tools.params.video.window_s, count=tools.params.video.frames),
                encode=tools.ports.encode,
                report=report,
                workers=tools.params.features.workers,
                spool=partial(ImportSpool, tools.workspace.home, tools.keys, notify),
            )
            reviewed = frozenset(map(normal_id, asked.reviewed))
            intake = replace(brought.intake, reviewed=reviewed, keeps_synthetic=asked.keeps_synthetic)
            stores = stores_of(tools)
            if dry_run:
                done, decision = foresee_import(intake, pictures, stores, at)
                forecast = forecast_gate(decision, intake, stores, tools.params, at)
                return Import(report=done, consents=consents, source=brought, clock=behind, forecast=forecast)
            writer = partial(writing, tools, "bitface data import", notify)
            done = import_people(intake, brought.notices, pictures, stores, at, writer)
    people = {sample.person for sample in read_index(tools.workspace.data)} if has_dataset(tools.workspace.data) else ()
    rendered = sum(map(is_synthetic, people))
    return Import(report=done, consents=consents, source=brought, clock=behind, people_rendered=rendered)


def check_people_here(tools: Tools) -> None:
    """Raises RefusedError if an erased person has reappeared, and InputError if everyone in the dataset was erased."""
    place = tools.workspace
    tools.checkpoints.latest_elsewhere()  # erasures stay known after home was restored
    check_none_returned(returned(tools.keys, tools.ledger, place.home, place.data))
    check_not_empty(place.data)


def rendering_note(tools: Tools) -> str | None:
    """That a retrain is going to render people, since none were imported; None where there is a dataset, or one to be pulled."""
    if has_dataset(tools.workspace.data) or tools.store.pinned() is not None:
        return None
    return "no people were imported: rendering synthetic ones, which takes a while (your own: bitface data init FOLDER)"


def check_retrain(tools: Tools, purpose: str, context: str | None) -> None:
    """Raises at once what the plan of a retrain would raise only after the orchestrator has started.

    Raises:
        RefusedError: purpose or context are refused, or no person is admitted. InputError: there are too few people.
    """
    data, params, now = tools.workspace.data, tools.params, tools.now()
    asked = context or params.gate.context
    with tools.ledger as ledger:
        for at in ledger.moments(now):
            check_training(purpose, asked, at, ledger.context_approvals())
        check_people_here(tools)
        if has_dataset(data):
            members, _ = members_of(data, Request(purpose=purpose, context=asked, at=now, params=params), None, ledger)
            check_people(members, params)

"""`bitface data ...`: create, import, validate and describe the dataset."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitface.cli.output import AsJson, emit, warn
from bitface.counted_words import counted, counted_people
from bitface.dataset.incoming.refused_rows import refused_lines
from bitface.errors import GateError, InputError
from bitface.steps.formats import format_of, formats_help
from bitface.surroundings import check_file

if TYPE_CHECKING:
    from bitface.steps.people.intake import IntakeReport
    from bitface.usecases.people import Import

data_app = typer.Typer(no_args_is_help=True, help="Create, import, validate and describe datasets.")

_LINES_MAX = 20


@data_app.command()
def synthesize(
    people: Annotated[int | None, typer.Option(help="Number of training people, with onset-apex-offset clips.")] = None,
    gate_people: Annotated[int | None, typer.Option(help="Number of gate-only people, with apex stills.")] = None,
    clips: Annotated[int | None, typer.Option(help="Clips per training person and emotion.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed. Default: the one in params.yaml.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this new folder instead of the dataset folder, without pinning.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Render a dataset of synthetic adults and pin it in data.dvc."""
    from bitface.bootstrap.opening import ready
    from bitface.steps.people.synthesis import synthesise
    from bitface.usecases.people import synthesis_of, writing

    wanted = {"training_people": people, "gate_people": gate_people, "clips_per_emotion": clips}
    sets = [f"synthetic.{name}={value}" for name, value in wanted.items() if value is not None]
    if out and out.exists():
        raise InputError(f"--out '{out.name}' already exists; name a new folder")
    if out:
        check_file(out)
    tools = ready(overrides=sets + ([] if seed is None else [f"seed={seed}"]))
    target = out.absolute() if out else tools.workspace.data
    with tools.ledger, tools.progress, writing(tools, "bitface data synthesize", warn, target) as writer:
        done = synthesise(writer, synthesis_of(tools), "none" if out else "pin")
    text = f"{counted(done.people, 'synthetic adult')}, {counted(done.samples, 'sample')} in {target.name}/"
    pinned = f", pinned as {done.version} in {tools.store.pin_file.name}" if done.version else ", not pinned"
    emit(asdict(done), text + pinned, as_json)


@data_app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="The folder with the pictures, or the table that holds them or points.")
    ],
    format_: Annotated[str, typer.Option("--format", help=f"Layout of the source. {formats_help()}.")] = "folder",
    manifest: Annotated[
        Path | None, typer.Option(help="CSV with path, subject_id and label. Default: SOURCE/manifest.csv.")
    ] = None,
    consents: Annotated[
        Path | None,
        typer.Option(
            help="Consent events, JSONL. Default: SOURCE/consents.jsonl. Without any: purpose benchmark alone."
        ),
    ] = None,
    licence: Annotated[
        Path | None,
        typer.Option(help="Licence record, JSON. Default: SOURCE/licence.json, or the published one of a known set."),
    ] = None,
    votes: Annotated[Path | None, typer.Option(help="FERPlus votes for the rows of --format fer2013, CSV.")] = None,
    subject_pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression that finds the person in a file name, for --format classes: '^(S[0-9]+)_'."
        ),
    ] = None,
    ignore_column: Annotated[
        list[str] | None,
        typer.Option(help="Ignore this manifest column; unknown columns are refused otherwise. Repeatable."),
    ] = None,
    frame_size: Annotated[
        str | None,
        typer.Option(help="Frame size, 1280x720, for --format landmarks with points as shares of width and height."),
    ] = None,
    reviewed: Annotated[
        list[str] | None, typer.Option(help="A flagged id that you checked: it is a different person. Repeatable.")
    ] = None,
    keep_synthetic: Annotated[
        bool,
        typer.Option(
            "--keep-synthetic",
            help="Keep synthetic people who are alone in the dataset. Default: imported ones replace them.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen without writing anything.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import real people: consent is checked first, pictures are decoded safely and encrypted immediately."""
    from bitface.bootstrap.opening import open_tools, ready
    from bitface.steps.people.sources import FolderFiles
    from bitface.usecases.people import Asked, import_source

    layout = format_of(format_)
    reader = layout.reader()
    given: dict[str, object] = {"consents": consents, "licence": licence, "manifest": manifest, "votes": votes}
    given |= {"frame-size": frame_size, "subject-pattern": subject_pattern, "ignore-column": ignore_column}
    reader.check_read(given, format_)
    files = FolderFiles(
        folder=reader.folder_of(source),
        table=source if source.is_file() else None,
        manifest=manifest,
        consents=consents,
        licence=licence,
        votes=votes,
        ignored_columns=tuple(ignore_column or ()),
        subject_pattern=subject_pattern,
        frame_size=frame_size,
    )
    tools = open_tools() if dry_run else ready()
    asked = Asked(reviewed=reviewed or (), keeps_synthetic=keep_synthetic)
    done = import_source(reader, files, asked, tools, warn, dry_run)
    if done.clock is not None:
        warn(done.clock)
    beside = {"dry_run": dry_run, "consents": done.consents.document(), "ignored_columns": files.ignored_columns}
    beside["forecast"] = asdict(done.forecast) if done.forecast else None
    text = [_import_text(done.report, done.source.intake.example), *done.consents.text(dry_run)]
    text += [f"ignored columns: {', '.join(files.ignored_columns)}"] if files.ignored_columns else []
    text += [done.forecast.text()] if done.forecast else []
    given = {"format": None if format_ == "folder" else format_} | given | {"reviewed": reviewed}
    again = _again(source, given) + (" --keep-synthetic" if keep_synthetic else "")
    text += _closing_text(done, tools.store.pin_file, again)
    emit(asdict(done.report) | beside, "\n".join(text), as_json)
    done.consents.check_no_unread_withdrawal()
    done.source.check_no_child_is_here(tools.keys)


@data_app.command()
def validate(
    purpose: Annotated[str, typer.Option(help="train or benchmark.")] = "train",
    context: Annotated[str | None, typer.Option(help="Context of use. Default: the one in params.yaml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check the dataset with Great Expectations and the consent rules; exit 3 if the data gate fails."""
    from bitface.bootstrap.orchestrator import quieten

    quieten()
    from bitface.bootstrap.jobs import open_job
    from bitface.usecases.studies import validate_dataset

    report = validate_dataset(open_job("default", (), purpose, context))
    lines = [
        f"{report.admitted} of {counted(report.samples, 'sample')} admitted, {len(report.quarantined)} quarantined"
    ]
    lines += [
        f"  {count:5d}  {reason}" for reason, count in Counter(row.reason for row in report.quarantined).most_common()
    ]
    lines += [f"  failed: {failure}" for failure in report.failures]
    lines += [f"  look at: {sentence}" for sentence in report.advice]
    lines += [f"Data Docs: {report.docs_index}", f"samples to look at: {report.review}"]
    document = asdict(report) | {"kept": len(report.kept)}
    emit(document, "\n".join(lines), as_json)
    if report.failures:
        raise GateError(f"the data gate failed: {report.failures[0]}; see the Data Docs")


@data_app.command()
def status(as_json: AsJson = False) -> None:
    """Show the dataset version, people, samples and slices, and what changed since the champion."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.people.dataset_status import dataset_status

    tools = open_tools()
    with tools.ledger as ledger:
        document = dataset_status(tools.workspace.data, tools.store, tools.keys, ledger)
    emit(document, _status_text(document), as_json)


def _import_text(done: IntakeReport, example: str) -> str:
    admitted = f"{counted(done.admitted, 'row')} admitted" + (
        f" ({done.corrected} of them corrected)" if done.corrected else ""
    )
    lines = [
        f"{counted_people(done.people)}, {counted(done.samples, 'sample')} of {counted(done.rows, 'row')}: {admitted}, "
        f"{done.unchanged} unchanged, {len(done.quarantined)} quarantined"
    ]
    lines += [f"  {one.text}" for one in done.findings]
    lines += _licence_lines(done)
    lines += _first([f"  row {one.row}: {one.change}" for one in done.corrections])
    lines += _first([f"  {line}" for line in refused_lines(done.quarantined)])
    lines += [f"a row reads as in {example}"] if example and any(row.is_of_manifest for row in done.quarantined) else []
    lines += [counted(done.consent_events, "new consent event")] if done.consent_events else []
    lines += _staying_lines(done)
    return "\n".join(lines)


def _staying_lines(done: IntakeReport) -> list[str]:
    """A picture that was deleted, replaced or left out of the manifest is not gone from the dataset."""
    if not done.staying_samples:
        return []
    stay, verb = counted(done.staying_samples, "sample"), "stays" if done.staying_samples == 1 else "stay"
    return [
        f"{stay} of {counted_people(done.staying_people)} from an earlier import of '{done.source}' {verb} in the dataset, though not in "
        "this import, which adds and corrects but removes nothing; `bitface erase` removes a person with all samples"
    ]


def _again(source: Path, given: Mapping[str, object]) -> str:
    """The same import, with every option that it was given: without its licence or its manifest it would be another one."""
    words = ["bitface", "data", "import", str(source)]
    for option, values in given.items():
        for value in values if isinstance(values, list) else [values]:
            words += [] if value is None else [f"--{option}", str(value)]
    return shlex.join(words)


def _closing_text(done: Import, pin: Path, command: str) -> list[str]:
    """What was written where, who else is in the dataset, and what comes next."""
    left = len(done.report.quarantined)
    again = (
        f"{counted(left, 'row was', 'rows were')} not taken: correct what is said above, and run the same command again"
    )
    lines = [again] if left else []
    lines += _replaced_lines(done.report)
    if not done.report.version:
        return [*lines, "dry run: nothing was written", f"Next: {command}"]
    lines.append(
        f"pinned: {pin.name} in {pin.parent} now names this dataset, version {done.report.version}; commit it if git tracks it"
    )
    if done.people_rendered:
        lines.append(
            f"the dataset also holds {counted(done.people_rendered, 'synthetic person', 'synthetic people')}, so that its evidence is "
            "mixed: a model learns from both. For your own people alone set BITFACE_DATA to a new folder, and import and retrain with it"
        )
    return [*lines, f"Next: {_retrain_of(done)}"]


def _replaced_lines(done: IntakeReport) -> list[str]:
    if not done.replaced_synthetic:
        return []
    verb = "replaced" if done.version else "would replace"
    who = counted(done.replaced_synthetic, "synthetic person", "synthetic people")
    return [f"{verb} {who}, who stood in until people were imported; --keep-synthetic keeps them beside yours"]


def _retrain_of(done: Import) -> str:
    """The retrain that uses those who were imported: a licence alone admits people for benchmark only."""
    if done.report.by_licence < done.report.people:
        return "bitface retrain"
    from bitface.consent.policy import usual_context

    return f"bitface retrain --purpose benchmark --context {usual_context(done.source.intake.licence.contexts)}"


def _licence_lines(done: IntakeReport) -> list[str]:
    if not done.by_licence:
        return []
    has, them = ("has", "that person") if done.by_licence == 1 else ("have", "them")
    return [
        f"{done.by_licence} of these people {has} no consent event: licence '{done.licence}' admits {them} for benchmark alone"
    ]


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - _LINES_MAX
    return [*lines[:_LINES_MAX], *([f"  ... and {more} more; --json lists all"] if more > 0 else [])]


def _status_text(document: dict[str, object]) -> str:
    return "\n".join(f"{key:>24}  {value}" for key, value in document.items())

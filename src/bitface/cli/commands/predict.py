"""`bitface predict`: probabilities per face, for pictures, videos and folders; purpose and context are checked first."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitface.cli.output import AsJson, emit, warn, writable_file

if TYPE_CHECKING:
    from bitface.ledger.status import ModelStatus
    from bitface.ports import Report
    from bitface.steps.answers.face_answers import Prediction, Reader
    from bitface.steps.answers.prediction_report import WriteRow
    from bitface.steps.people.inputs import Inputs


def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures (JPEG, PNG, WEBP, plain TIFF), videos (MP4, MOV, AVI, WebM, MKV and others) or folders, searched recursively."
        ),
    ],
    purpose: Annotated[str, typer.Option(help="evaluate, fairness_test, infer, demo or benchmark.")],
    context: Annotated[str, typer.Option(help="research, medical, safety, consumer, workplace or education.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="champion, demo, challenger or NAME/VERSION. Default: champion; for a demo without a champion, demo."
        ),
    ] = None,
    faces: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Most faces to answer per picture. Default: the number in params.yaml."),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            min=0, max=60, help="Seconds of a video between answered frames; 0: every frame. Default: params.yaml."
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also report what each region of a face adds.")] = False,
    log: Annotated[
        bool,
        typer.Option(
            "--log",
            help="Keep features and scores of pictures, never faces, for `bitface drift`; deleted after drift.log_days.",
        ),
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            callback=writable_file,
            help="Also write a CSV file, one row per face, or per picture or frame without a face.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read facial expressions with a verified model, if policy allows the use.

    Every input gets a status: answered, abstained, no_face, unreadable, not_supported or refused (over a limit), with the reason.
    In a video each face has a number that means the same face in this file alone, and probabilities smoothed over time.
    Links inside folders are not followed; hidden files are counted, not read. Exit 2 if a picture, a video or a named path
    could not be read; all other inputs are still answered.
    """
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.answers.prediction_report import check_nothing_lost, prediction_table
    from bitface.steps.people.inputs import check_spares_inputs, list_inputs, naming_them_first, with_videos
    from bitface.usecases.answers import Wanted, face_reader, kept_faces
    from bitface.usecases.models import open_runtime, status_of

    tools = open_tools()
    inputs = with_videos(list_inputs(paths))
    with naming_them_first(inputs):
        runtime = open_runtime(tools, model, purpose, context)
    status = status_of(tools, runtime)
    kept = kept_faces(tools, runtime, purpose, context) if log else None
    reader = face_reader(tools, runtime, Wanted(faces=faces, every_s=every, explain=explain), kept)
    if csv:
        check_spares_inputs(csv, [one.path for one in inputs.found])
    with prediction_table(csv, runtime.emotions, status.line) if csv else nullcontext() as write:
        rows = _read_and_print(inputs, reader, status, tools.progress, write, as_json)
    if kept is not None:
        kept.write(tools.params.drift.log_days)
    check_nothing_lost(rows)


def _read_and_print(
    inputs: Inputs,
    reader: Reader,
    status: ModelStatus,
    progress: AbstractContextManager[Report],
    write: WriteRow | None,
    as_json: bool,
) -> list[Prediction]:
    """Reads all inputs and prints the answers, even if the disk is full or the command is interrupted."""
    from bitface.steps.answers.predict import WHAT, predictions
    from bitface.steps.answers.prediction_report import counts_line, prediction_documents, predictions_text

    rows: list[Prediction] = []
    done = 0
    try:
        with progress as report:

            def count(what: str, finished: int, of: int) -> None:
                nonlocal done
                done = finished if what == WHAT else done
                report(what, finished, of)

            for row in predictions(inputs.found, reader, count):
                rows.append(row)
                if write:
                    write(row)
    finally:
        text = predictions_text(rows, reader.runtime, status, inputs.left_out)
        emit(prediction_documents(rows, reader.runtime, status), text, as_json)
        if as_json:
            sys.stderr.write(f"{counts_line(rows, inputs.left_out)}\n")
        if done < len(inputs.found):
            table = " and in the CSV file ending in .part" if write else ""
            warn(f"stopped after {done} of {len(inputs.found)} inputs; their answers are above{table}")
    return rows

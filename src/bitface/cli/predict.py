"""`bitface predict`: images and folders in; per face, probabilities out; purpose and context come first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bitface.cli.output import AsJson, emit


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Images or folders of images.")],
    purpose: Annotated[str, typer.Option(help="evaluate, fairness_test, infer, demo or benchmark.")],
    context: Annotated[str, typer.Option(help="research, medical, safety, consumer, workplace or education.")],
    model: Annotated[
        str | None,
        typer.Option(help="champion (the default; for a demo, while there is none, demo), challenger or NAME/VERSION."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also say what each region of a face adds.")] = False,
    log: Annotated[
        bool, typer.Option("--log", help="Keep numbers and scores, never faces, for `bitface drift`; for some days.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Also write one row per face to this CSV file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reads the expressions of faces with a verified model, where policy allows it."""
    from bitface.steps.predict import predict_paths, predictions_text, write_csv
    from flows.wiring import kept_faces, landmarker, open_runtime, open_tools

    tools = open_tools()
    runtime = open_runtime(tools, model, purpose, context)
    make_landmarker, _ = landmarker(tools)
    kept = kept_faces(tools, runtime, purpose, context) if log else None
    with tools.progress as report:
        rows: list[dict[str, Any]] = predict_paths(
            paths, runtime, make_landmarker, tools.params.features, tools.read_image, report, explain=explain, keep=kept
        )
    if kept is not None:
        kept.write(tools.params.drift.log_days)
    if csv is not None:
        write_csv(rows, csv)
    emit(rows, predictions_text(rows), as_json)

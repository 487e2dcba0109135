"""`bitface drift`: whether new faces still resemble those the champion was judged on."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit


def drift(
    window: Annotated[
        str | None,
        typer.Option(
            help="New faces to test: days of `predict --log`, such as 30d, or `new` for people added to the dataset since."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="champion, challenger or NAME/VERSION.")] = "champion",
    as_json: AsJson = False,
) -> None:
    """Compare new faces with those a model was judged on. Drift suggests a retrain; it never blocks one."""
    from bitface.bootstrap.jobs import open_job
    from bitface.steps.versions.monitor import drift_text
    from bitface.usecases.watching import compare_now

    found = compare_now(model, window, open_job("default", (), "train", None))
    emit(found, drift_text(found), as_json)

"""`bitface drift`: whether new faces are still like those that the champion was judged on."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit


def drift(
    window: Annotated[
        str | None,
        typer.Option(
            help="So many days of `predict --log`, such as 30d; or new: people of the dataset whom it has not met."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="champion, challenger or NAME/VERSION.")] = "champion",
    as_json: AsJson = False,
) -> None:
    """Holds new faces against those that a model was judged on. Drift asks for a retrain; it never blocks one."""
    from bitface.flows.stages import wire
    from bitface.flows.watch import compare_now
    from bitface.steps.monitor import drift_text

    found = compare_now(wire("default", (), "train", None), model, window)
    emit(found, drift_text(found), as_json)

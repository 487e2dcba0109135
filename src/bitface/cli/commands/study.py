"""`bitface study`: compares model variants and landmark subsets on the same people; it does not affect the gate."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, warn

study_app = typer.Typer(no_args_is_help=True, help="Compare ways to build a model, out of fold.")


@study_app.callback()
def study() -> None:
    """Compare ways to build a model, out of fold."""


@study_app.command()
def models(
    profile: Annotated[str, typer.Option(help="quick, default or full.")] = "full",
    variants: Annotated[
        str | None, typer.Option(help="Comma-separated variant names from params.yaml. Default: all.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of use. Default: the one in params.yaml.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a parameter: key=value. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare R-EMO with T-EMO, one-bit with float, landmarks with faces: several trainings of each. Resumable."""
    from bitface.bootstrap.opening import ready_for_flow
    from bitface.bootstrap.orchestrator import prepare_server, start_server

    ready_for_flow(profile, set_ or ())
    start_server()
    from bitface.flows.study import StudyRequest, study

    prepare_server()
    found = study(StudyRequest(profile=profile, context=context, overrides=tuple(set_ or ()), variants=variants))
    for line in found["warnings"]:
        warn(line)
    text = found.pop("text")
    emit(found, f"{text}\n\n  page  {found['page']}", as_json)


@study_app.command()
def landmarks(
    profile: Annotated[str, typer.Option(help="quick, default or full.")] = "full",
    context: Annotated[str | None, typer.Option(help="Context of use. Default: the one in params.yaml.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a parameter: key=value. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find how few of the 478 landmarks are enough: screen subsets, then train the best of each size."""
    from bitface.bootstrap.opening import ready_for_flow
    from bitface.bootstrap.orchestrator import prepare_server, start_server

    ready_for_flow(profile, set_ or ())
    start_server()
    from bitface.flows.study import LandmarkRequest, study_landmarks

    prepare_server()
    found = study_landmarks(LandmarkRequest(profile=profile, context=context, overrides=tuple(set_ or ())))
    for line in found["warnings"]:
        warn(line)
    text = found.pop("text")
    emit(found, f"{text}\n\n  page  {found['page']}", as_json)

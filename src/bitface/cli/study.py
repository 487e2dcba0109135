"""`bitface study`: compare ways to build a model, and subsets of landmarks, on the same people; decides nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, warn

study_app = typer.Typer(no_args_is_help=True, help="Comparisons of ways to build a model, out of fold.")


@study_app.callback()
def study() -> None:
    """Comparisons of ways to build a model, out of fold."""


@study_app.command()
def models(
    profile: Annotated[str, typer.Option(help="quick, default or full.")] = "full",
    variants: Annotated[str | None, typer.Option(help="Comma-separated names of params.yaml; all by default.")] = None,
    context: Annotated[str | None, typer.Option(help="Context of use; params.yaml's by default.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over params.yaml; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """R against T, one-bit against float, landmarks against faces: several trainings of each; goes on where it stopped."""
    from bitface.flows.wiring import prepare_server, ready_for_flow, start_server

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
    context: Annotated[str | None, typer.Option(help="Context of use; params.yaml's by default.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over params.yaml; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How few of the 478 landmarks do, and chosen how: screened at once, the best of each size trained."""
    from bitface.flows.wiring import prepare_server, ready_for_flow, start_server

    ready_for_flow(profile, set_ or ())
    start_server()
    from bitface.flows.study import LandmarkRequest, study_landmarks

    prepare_server()
    found = study_landmarks(LandmarkRequest(profile=profile, context=context, overrides=tuple(set_ or ())))
    for line in found["warnings"]:
        warn(line)
    text = found.pop("text")
    emit(found, f"{text}\n\n  page  {found['page']}", as_json)

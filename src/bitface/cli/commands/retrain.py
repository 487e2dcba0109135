"""`bitface retrain`, `bitface gate ...` and `bitface ui`: run the main flow and inspect its decision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, raise_exit_of, say, warn, writable_file

gate_app = typer.Typer(no_args_is_help=True, help="Show, replay or export a gate decision.")


def retrain(
    profile: Annotated[str, typer.Option(help="quick, default or full.")] = "default",
    purpose: Annotated[
        str, typer.Option(help="train, or benchmark (licence instead of personal consent; never promoted).")
    ] = "train",
    context: Annotated[str | None, typer.Option(help="Context of use. Default: the one in params.yaml.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a parameter: key=value. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model and decide: version, validate, train, binarize, explain, gate, register. Exit 3 on hold or block."""
    from bitface.bootstrap.opening import ready_for_flow
    from bitface.bootstrap.orchestrator import prepare_server, start_server
    from bitface.steps.versions.summary import summary_text
    from bitface.usecases.people import check_retrain, rendering_note

    tools = ready_for_flow(profile, set_ or ())
    check_retrain(tools, purpose, context)
    note = rendering_note(tools)
    if note is not None:
        say(note)
    with tools.progress:
        tools.progress.stage("start, which loads the libraries and Prefect")
        start_server()
        from bitface.flows.retrain import RetrainRequest, run_here

        prepare_server()
    request = RetrainRequest(profile=profile, purpose=purpose, context=context, overrides=tuple(set_ or ()))
    summary = run_here(request)
    for line in summary["warnings"]:
        warn(line)
    emit(summary, summary_text(summary), as_json)
    if summary["exit_code"]:
        raise typer.Exit(summary["exit_code"])


@gate_app.command()
def show(
    run: Annotated[str, typer.Argument(help="Run id, from the retrain summary.")], as_json: AsJson = False
) -> None:
    """Show a run's gate decision, cell by cell."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.gate import check_judged, decision_text, recorded_decision
    from bitface.steps.versions.model_choice import status_of_run

    tools = open_tools()
    runs = tools.workspace.runs
    with tools.ledger as ledger:
        check_judged(run, runs, ledger)
        status, recorded = status_of_run(run, ledger), recorded_decision(run, runs, ledger)
    decision = recorded | {"status": status.document() if status else None}
    text = decision_text(decision)
    emit(decision, f"{status.line}\n{text}" if status else text, as_json)


@gate_app.command()
def replay(bundle: Annotated[Path, typer.Argument(help="A gate bundle file.")], as_json: AsJson = False) -> None:
    """Recompute a decision from its bundle, bit for bit, without access to faces; exit 2 if it differs.

    Rows about people are sealed: this works on the installation that made it, or anywhere with a copy from `bitface gate open`.
    """
    from bitface.steps.versions.gate import replay_bundle

    outcome = replay_bundle(bundle, _unsealed)
    verdict = "identical to the recorded decision" if outcome["identical"] else "DIFFERS from the recorded decision"
    emit(outcome, f"{outcome['decision']}: {verdict}", as_json)
    if not outcome["identical"]:
        raise typer.Exit(2)


@gate_app.command(name="open")
def open_(
    run: Annotated[str, typer.Argument(help="Run id, from the retrain summary.")],
    out: Annotated[Path, typer.Option(callback=writable_file, help="File for the copy, outside this installation.")],
    as_json: AsJson = False,
) -> None:
    """Export a run's bundle for an auditor to replay anywhere: unencrypted rows, no names. The export is logged."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.gate import check_judged, hand_out

    tools = open_tools()
    with tools.ledger as ledger:
        check_judged(run, tools.workspace.runs, ledger)
    sha256 = hand_out(run, out, tools.workspace, tools.keys)
    text = f"{out} replays anywhere: bitface gate replay {out}"
    text += "\n  it holds one row per person, without names; delete it after the review"
    text += f"\n  digest on record: {sha256}"
    emit({"run_id": run, "file": str(out), "sha256": sha256}, text, as_json)


def _unsealed(sealed: bytes, run_id: str) -> bytes:
    """The sealed rows, decrypted with this installation's keys."""
    from bitface.bootstrap.places import open_keys, workspace
    from bitface.dataset.sealed_evidence import open_evidence

    return open_evidence(sealed, run_id, open_keys(workspace()))


def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Serve the MLflow UI on 127.0.0.1 until Ctrl-C.

    It asks for a password, new at each start. No option exposes it to other machines or other sites' pages, or turns the
    password off. From another machine, forward the port: ssh -L PORT:127.0.0.1:PORT.
    """
    from bitface.bootstrap.opening import serve_ui

    raise_exit_of(serve_ui(port))

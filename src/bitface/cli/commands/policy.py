"""`bitface policy`: shows and changes the limits, rules and approvals in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit
from bitface.counted_words import counted_people
from bitface.surroundings import user_name

policy_app = typer.Typer(
    no_args_is_help=True,
    help="Show the policy in force (limits, required cells, approvals), or adopt the one in params.yaml.",
)


@policy_app.command()
def show(as_json: AsJson = False) -> None:
    """Show the policy in force, who adopted it and why, and how params.yaml differs."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.policy import policy_differences

    tools = open_tools()
    with tools.ledger as ledger:
        policy, other = ledger.policy(), policy_differences(tools.workspace.params, ledger)
    if policy is None:
        emit(None, "no policy is in force yet: the first retrain adopts the one in params.yaml", as_json)
        return
    rule = policy.rule
    lines = [
        f"policy {policy.sha256[:16]}, adopted {policy.adopted_at[:16].replace('T', ' ')} UTC by {policy.actor}",
        f"  why        {policy.reason}",
        f"  approvals  {counted_people(rule.required)}{', as ' + ' and '.join(rule.roles) if rule.roles else ''}",
        *(f"  params.yaml, profile {name}: {difference}" for name, own in other.items() for difference in own),
    ]
    document = {
        "policy_sha256": policy.sha256,
        "adopted_at": policy.adopted_at,
        "actor": policy.actor,
        "reason": policy.reason,
        "key_id": policy.key_id,
        "profiles": policy.profiles,
        "differences": other,
    }
    emit(document, "\n".join(lines), as_json)


@policy_app.command()
def adopt(
    why: Annotated[str, typer.Option(help="The reason, kept permanently. Do not name anyone.")],
    key: Annotated[
        Path | None, typer.Option(help="A compliance key file; needed if promotions require approvals.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Adopt the limits, rules and approvals in params.yaml. From then on, only decisions made under them can be promoted."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.policy import adopt as put_into_force

    tools = open_tools()
    with tools.ledger as ledger:
        policy, is_new = put_into_force(tools.workspace.params, user_name(), why, key, ledger)
    state = "is now in force" if is_new else "was already in force"
    emit({"policy_sha256": policy.sha256, "new": is_new}, f"policy {policy.sha256[:16]} {state}", as_json)

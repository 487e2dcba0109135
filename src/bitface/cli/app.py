"""Puts the command groups together; imports only what parsing needs, so that --help answers at once."""

from __future__ import annotations

import typer

from bitface.cli.commands.audit import audit_app
from bitface.cli.commands.bench import bench
from bitface.cli.commands.consent import consent_app
from bitface.cli.commands.context import context_app
from bitface.cli.commands.data import data_app
from bitface.cli.commands.data_init import data_init
from bitface.cli.commands.doctor import doctor
from bitface.cli.commands.drift import drift
from bitface.cli.commands.erase import erase
from bitface.cli.commands.explain import explain
from bitface.cli.commands.init import init
from bitface.cli.commands.policy import policy_app
from bitface.cli.commands.predict import predict
from bitface.cli.commands.promote import approve, keys_app, promote, rollback
from bitface.cli.commands.retention import retention
from bitface.cli.commands.retrain import gate_app, retrain, ui
from bitface.cli.commands.schedule import schedule, worker
from bitface.cli.commands.study import study_app

app = typer.Typer(
    name="bitface",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train one-bit, explainable facial-expression models. A version goes live only when it passes every required "
    "check of consent, accuracy, fairness, drift and explanation.",
)
data_app.command("init")(data_init)
app.add_typer(data_app, name="data")
app.add_typer(gate_app, name="gate")
app.add_typer(study_app, name="study")
app.command()(init)
app.command()(doctor)
app.command()(retrain)
app.add_typer(keys_app, name="keys")
app.add_typer(policy_app, name="policy")
app.command()(approve)
app.command()(promote)
app.command()(rollback)
app.command()(predict)
app.command()(explain)
app.command()(drift)
app.add_typer(consent_app, name="consent")
app.add_typer(context_app, name="context")
app.command()(erase)
app.command()(retention)
app.add_typer(audit_app, name="audit")
app.command()(bench)
app.command()(schedule)
app.command()(worker)
app.command()(ui)

"""Puts the command groups together; imports only what parsing needs, so that --help answers at once."""

from __future__ import annotations

import typer

from bitface.cli.audit import audit_app
from bitface.cli.bench import bench
from bitface.cli.consent import consent_app
from bitface.cli.context import context_app
from bitface.cli.data import data_app
from bitface.cli.doctor import doctor
from bitface.cli.drift import drift
from bitface.cli.erase import erase
from bitface.cli.explain import explain
from bitface.cli.init import init
from bitface.cli.policy import policy_app
from bitface.cli.predict import predict
from bitface.cli.promote import approve, keys_app, promote, rollback
from bitface.cli.retention import retention
from bitface.cli.retrain import gate_app, retrain, ui
from bitface.cli.schedule import schedule, worker
from bitface.cli.study import study_app

app = typer.Typer(
    name="bitface",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train one-bit, explainable facial-expression models. A version goes live only when it passes every required "
    "check of consent, accuracy, fairness, drift and explanation.",
)
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

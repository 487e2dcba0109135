"""Retrains one-bit, explainable facial-expression models; promotes one only when consent, accuracy, fairness, drift and explanation hold.

A guided tour, from the outside in:

* `bitface.cli` parses a command and calls a use case or a flow. `python -m bitface.cli --help` lists the commands.
* `bitface.flows.retrain` is the main job, an order of stages; `bitface.bootstrap` is the only package that picks tools.
* `bitface.usecases` implements what users request: the stages (`stages`, `judging`), imports, erasures, answers, studies. Each gets
  its tools as one frozen record of ports (`bitface.usecases.tools`).
* `bitface.steps` has the steps by topic: people, retrain, judging, versions, answers, audits, studies. Those that cache results
  declare in `INPUTS` what the results depend on (`bitface.steps.retrain.reuse`).
* `bitface.ports` defines what steps need from tools; `bitface.adapters` implements each port with one tool.
* `bitface.gate` decides: `cells` are its questions, `kinds` the list of them, `decision` the verdict. Pure functions of evidence.
* `bitface.ledger` is the record of consents, runs, decisions, promotions, in a log whose entries are linked by digests.
  `bitface.ledger.use` decides whether a version may be used, for a purpose, in a context, now.
* `bitface.consent` and `bitface.dataset` hold the rules of admission, and people's pictures, encrypted per person.
* `bitface.training`, `bitface.models` and `bitface.binarize` are the networks; `bitface.evaluation` and `bitface.explain` the figures.

docs/architecture.md shows this as a diagram; docs/extending.md explains how to add a metric, a format, an architecture or a tool.

As a library (docs/python.md): `bitface.load(purpose=..., context=...)` opens a verified model, whose `predict` answers files and pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitface.library import Model

__all__ = ["load"]


def load(reference: str | None = None, *, purpose: str, context: str) -> Model:
    """Opens a registered model of this project, after the same checks as `bitface predict`.

    Args:
        reference: champion, demo, challenger or NAME/VERSION; None: the champion, or for a demo without a champion the demo.
        purpose: evaluate, fairness_test, infer, demo or benchmark.
        context: research, medical, safety, consumer, workplace or education.

    Raises:
        RefusedError: consent or policy refuses this use. InputError: there is no such model.
        IntegrityError: its files are not the registered ones. All are of `bitface.errors`.
    """
    from bitface.library import open_model

    return open_model(reference, purpose, context)

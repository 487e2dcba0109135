"""Retrains one-bit, explainable facial-expression models; promotes one only when consent, accuracy, fairness, drift and explanation hold.

A guided tour, from the outside in:

* `bitface.cli` parses a command and calls a use case or a flow. `python -m bitface.cli --help` lists the commands.
* `bitface.flows.retrain` is the main job, an order of stages; `bitface.bootstrap` is the only package that picks tools.
* `bitface.usecases` has what people ask for: the stages (`stages`, `judging`), imports, erasures, answers, studies. Each is handed its
  tools as one frozen record of ports (`bitface.usecases.tools`).
* `bitface.steps` has the steps, by what a reader is after: people, retrain, judging, versions, answers, audits, studies. Those that keep
  results declare in `INPUTS` what the results depend on (`bitface.steps.retrain.reuse`).
* `bitface.ports` says what steps ask of tools; `bitface.adapters` has one tool each behind such a port.
* `bitface.gate` decides: `cells` are its questions, `kinds` the list of them, `decision` the verdict. Pure functions of evidence.
* `bitface.ledger` is what is on record: consents, runs, decisions, promotions, in a log whose entries are linked by digests.
  `bitface.ledger.use` answers whether a version may be used, for a purpose, in a context, now.
* `bitface.consent` and `bitface.dataset` hold the rules of admission, and people's pictures, encrypted per person.
* `bitface.training`, `bitface.models` and `bitface.binarize` are the networks; `bitface.evaluation` and `bitface.explain` the figures.

docs/architecture.md draws this; docs/extending.md adds a metric, a format, an architecture and a tool.
"""

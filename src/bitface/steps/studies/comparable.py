"""Who of a run may be judged beside it: a study, a benchmark and a look at drift are uses of their own, and not the training."""

from __future__ import annotations

from dataclasses import replace

from bitface.counted_words import some_of
from bitface.ledger.ledger import Ledger
from bitface.steps.retrain.plan import Run, dataset_entry_version


def comparable(run: Run, ledger: Ledger) -> tuple[Run, str | None]:
    """The run without people who do not allow it to be judged, as of now (`ledger.use.refusing`), and a sentence where there are some.

    It keeps its id and its dataset version, in which they are.
    """
    refusing = ledger.refusing_judgement(dataset_entry_version(run)) & run.members.admissions.keys()
    if not refusing:
        return run, None
    members = replace(
        run.members,
        samples=tuple(sample for sample in run.members.samples if sample.person not in refusing),
        admissions={person: own for person, own in run.members.admissions.items() if person not in refusing},
        folds={person: fold for person, fold in run.members.folds.items() if person not in refusing},
    )
    subjects = {person: own for person, own in run.subjects.items() if person not in refusing}
    verbs = ("allows training but not evaluation, and is", "allow training but not evaluation, and are")
    told = f"{some_of(len(refusing), len(run.members.admissions), verbs)} left out here"
    return replace(run, members=members, subjects=subjects), told

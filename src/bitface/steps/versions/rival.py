"""The champion's predictions for the judged samples, compared fairly: for people it was trained on, only out-of-fold ones count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.dataset.keys import KeyStore
from bitface.errors import RefusedError
from bitface.evaluation.predictions import Predictions
from bitface.faces.features import ClipTable
from bitface.gate.unnamed import sample_token
from bitface.ledger.entries import ModelEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.ports import Runtime
from bitface.steps.judging.evaluate import runtime_predictions, with_centred_scores
from bitface.steps.retrain.plan import Run
from bitface.steps.versions.gate import BUNDLE_NAME, Rival, names_in, opened_bundle

WAY_OUT: Final = "ask them for permission, or have compliance adopt a policy without this comparison"


def find_rival(
    run: Run,
    judged: Predictions,
    table: ClipTable,
    ledger: Ledger,
    runs: Path,
    keys: KeyStore,
    champion: Callable[[], Runtime],
) -> tuple[Rival | None, str | None]:
    """The champion to compare with, and a sentence if there is one that is not compared with.

    A champion of other evidence (synthetic against real people) is not compared. One that cannot predict every judged
    sample, or may not be judged, has no predictions: its cells are then NOT-RUN, and block.
    """
    entry = ledger.champion()
    if entry is None:
        return None, None
    if not ledger.is_lawful(entry):
        return (
            None,
            f"champion {entry.version} was trained on a person who was erased or is no longer admitted: not compared, to be "
            "replaced",
        )
    if entry.evidence != run.evidence:
        return (
            None,
            f"champion {entry.version} was judged on {entry.evidence} evidence, this run on {run.evidence}: not compared",
        )
    why = why_not_judged(entry, ledger)
    if why is not None:
        return Rival(
            version=str(entry.version), predictions=None
        ), f"champion {entry.version} is not compared: {why}; {WAY_OUT}"
    rows = {str(name): row for row, name in enumerate(table.sample_ids)}
    own, runtime = table.where(np.array([rows[str(name)] for name in judged.sample_ids], dtype=np.int64)), champion()
    if not reads_what_is_known(runtime, own):
        return Rival(version=str(entry.version), predictions=None), (
            f"champion {entry.version} is not compared: it reads pixels or points that these tables of points do not have; have "
            "compliance adopt a policy without this comparison, or compare on a dataset of pictures"
        )
    live = with_centred_scores(runtime_predictions(own, runtime))
    made_by = ledger.run_of(entry)
    learned_from = np.isin(judged.persons, sorted(_people_learned_from(made_by, ledger)))[:, None]
    scores = live.scores
    if made_by is not None and learned_from.any():
        scores = np.where(learned_from, _recorded(made_by.run_id, entry, judged, live.emotions, runs, keys), scores)
    if not np.isfinite(scores).all():
        return Rival(version=str(entry.version), predictions=None), None
    return Rival(version=str(entry.version), predictions=replace(live, scores=scores)), None


def reads_what_is_known(runtime: Runtime, table: ClipTable) -> bool:
    """Whether a model's answers to points without pictures rest on nothing that the points do not have.

    What they do not have is 0 in every frame. A model that does not read it answers alike wherever it lies.
    """
    if runtime.reads == "crops" or not table.are_points.any():
        return not table.are_points.any()
    faces, one = table.where(np.arange(1)).column(runtime.reads), np.ones(1, np.int64)
    unknown = ~(table.landmarks != 0).any(axis=(0, 1))
    moved = np.where(unknown, np.float32(1), faces)
    return bool(np.array_equal(runtime.logits(faces[:, :1], one), runtime.logits(moved[:, :1], one)))


def why_not_judged(entry: ModelEntry, ledger: Ledger) -> str | None:
    """Why a version may currently not be compared with another one; None if it may."""
    try:
        ledger.check_judged(entry)
    except RefusedError as error:
        return str(error).rpartition("; ")[0]
    return None


def _people_learned_from(made_by: RunEntry | None, ledger: Ledger) -> set[str]:
    members = ledger.members(made_by.dataset_version) if made_by else ()
    return {member.person for member in members if member.split in ("train", "validation")}


def _recorded(
    run_id: str, entry: ModelEntry, judged: Predictions, emotions: tuple[str, ...], runs: Path, keys: KeyStore
) -> NDArray[np.float64]:
    """The scores that the champion's own gate recorded for the judged samples, centred; NaN for samples without a record."""
    scores = np.full((len(judged), len(emotions)), np.nan)
    path = runs / run_id / BUNDLE_NAME
    bundle = opened_bundle(path, keys) if path.is_file() else None
    if bundle is None or bundle.evidence.one_bit is None or bundle.evidence.one_bit.emotions != emotions:
        return scores
    recorded = with_centred_scores(bundle.evidence.one_bit)
    row_of = {str(name): row for row, name in enumerate(recorded.sample_ids)}
    token = names_in(run_id, entry.evidence, keys)
    for row, name in enumerate(judged.sample_ids):
        called = str(name) if bundle.names_people else sample_token(str(name), token)
        if called in row_of:
            scores[row] = recorded.scores[row_of[called]]
    return scores

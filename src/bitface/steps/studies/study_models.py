"""Runs the study of a dataset and leaves its tables, picture and page, in the run's folder and for reviewers."""

from __future__ import annotations

import json
from datetime import datetime

from bitface.counted_words import counted, counted_people
from bitface.dataset.files import write_atomically
from bitface.errors import InputError
from bitface.faces.splits import fold_of_people
from bitface.figure_ports import Figures
from bitface.page_ports import Pages
from bitface.ports import TrackedReport, Tracking
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import key_of
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.without_pictures import are_points, check_pictured
from bitface.steps.studies.study import Study, StudyTools, chosen_variants, compare, plan_jobs, run_jobs, study_table
from bitface.steps.studies.study_latency import measure_stills
from bitface.steps.studies.study_report import (
    draw_study,
    draw_trade,
    study_document,
    study_headline,
    study_metrics,
    study_page,
    study_text,
)


def study_models(run: Run, data: Data, variants: str | None, tools: StudyTools) -> Study:
    """Trains, judges and times every variant out of fold; what an earlier study of the same people trained is used again.

    `variants` names those that are wanted, see `chosen_variants`.

    Raises:
        InputError: a variant is unknown or changes what there is not, or there are fewer people than folds.
    """
    params = chosen_variants(run.params.study, variants)
    jobs = plan_jobs(params, run.params.training, run.params.seed)
    if are_points(run.members.samples):
        check_pictured({f"--variants without '{job.variant}'": job.training for job in jobs})
    members = [sample for sample in run.members.samples if sample.split != "gate"]
    folds = fold_of_people(members, params.folds, run.params.seed, run.members.content)
    if len(folds) < params.folds:
        few = counted(len(folds), "person is", "people are")
        raise InputError(f"{few} too few for {counted(params.folds, 'fold')}; add people, or lower study.folds")
    table = study_table(data.rows)
    data_key = key_of(data.seen.digests(), sorted(map(str, table.sample_ids)))
    placed = run_jobs(jobs, table, folds, tools.stages, data_key, params.workers, tools.report)
    # Training is over by now: it would slow what it runs beside.
    sizes = {job.variant: job.training for job in jobs}
    still_ms = measure_stills(sizes, run.params.latency, run.params.seed, tools.export, tools.load)
    return compare(jobs, placed, params, run.params.evaluation, run.params.seed, still_ms)


def report_study(
    run: Run, study: Study, draw: Figures, pages: Pages, tracking: Tracking, at: datetime
) -> dict[str, object]:
    """Writes `study/` in the run's folder, and shows it to reviewers; `draw` and `pages` are the picture adapters.

    Returns:
        the study as plain values, with the words for a terminal and where the page lies.
    """
    folder = run.folder / "study"
    folder.mkdir(parents=True, exist_ok=True)
    document = study_document(study)
    write_atomically(folder / "study.json", (json.dumps(document, indent=1) + "\n").encode())
    figure = draw_study(study, draw, folder)
    trade = draw_trade(study, draw, folder)
    page = study_page(study, run.evidence, (figure, trade), pages, folder / "study.html")
    tracking.log_report(
        TrackedReport(
            report_id=key_of(run.run_id, document),
            kind="study",
            title=f"study · {counted(len(study.one_bit_gain), 'variant')} · {counted_people(study.people)}",
            started_at=at,
            evidence=run.evidence,
            code_commit=run.code_commit,
            headline=study_headline(study),
            params={"folds": study.folds, "people": study.people, "run_id": run.run_id},
            metrics=study_metrics(study),
            figures=(figure, trade),
            reports={"study": page, "figures": folder / "study.json"},
        )
    )
    return {**document, "run_id": run.run_id, "page": str(page), "text": study_text(study)}

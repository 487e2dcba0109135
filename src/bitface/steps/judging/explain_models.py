"""Says which part of the face the scores rest on, exactly for regions and in maps for landmarks, and whether to believe it.

Regions: exact Shapley values of the deployed model. Maps: Integrated Gradients of the float twin, and for the one-bit model
completed gradients beside plain straight-through ones. All of apex stills of people who trained nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.files import write_atomically
from bitface.documents import Document
from bitface.explain.attributions import Attribution, AttributionSummary, summarise
from bitface.explain.baselines import BLURRED, Baseline, Faces, baselines_of, blurred
from bitface.explain.faithfulness import Faithfulness, faithfulness, unit_overlap
from bitface.explain.region_mass import Agreement, RegionTable, agreement
from bitface.explain.region_shapley import region_shapley, regions_of_face
from bitface.faces.alignment import pixel_owners
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable, FaceValues, Reads
from bitface.faces.regions import REGIONS, region_of_landmark, regions_of_owners
from bitface.models.face.training_faces import TrainingFaces
from bitface.params import ExplainParams
from bitface.ports import LoadRuntime, Report, Runtime
from bitface.steps.retrain.export import Model
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.train import with_folds

if TYPE_CHECKING:
    from bitface.models.clip_net import ClipNet
    from bitface.training.trained import TrainedModel

PLAIN: Final = "one-bit plain"
MAPS: Final = ("one-bit", PLAIN, "float")
"""Kinds of maps: completed gradients of the one-bit model, its plain straight-through ones, and those of the float twin."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What was found of the same people; no face of anyone is kept.

    By kind of map, see MAPS: `attributions`, `summaries`. `regions`: a table of exact values for each baseline, the mean
    face's first; `region_persons` and `region_labels` (M,) of their rows. `agreements`: of the one-bit model's two kinds with
    the exact values. `faithful`: deletion and insertion by its completed maps. `randomised`: Spearman's correlation of its
    importances with those of the same network without its knowledge. `sensitivity` float64 (N,): of the exact values, see
    `explain.sensitivity`. `persons` str (N,) are pseudonyms. `reads` what the deployed
    model reads; `rival_shares` float64 (M,): of the same faces, what the champion rests on the regions of an emotion's units.
    """

    attributions: Mapping[str, Attribution]
    summaries: Mapping[str, AttributionSummary]
    persons: NDArray[np.str_]
    regions: tuple[RegionTable, ...]
    region_persons: NDArray[np.str_]
    region_labels: tuple[str, ...]
    agreements: Mapping[str, Agreement]
    faithful: Faithfulness
    randomised: float
    sensitivity: NDArray[np.float64]
    reads: Reads
    rival_shares: NDArray[np.float64] | None

    def gaps(self, kind: str) -> NDArray[np.float64]:
        """Per sample, float64 (N,), see `Attribution.sample_gaps`."""
        return self.attributions[kind].sample_gaps()

    def figures(self) -> dict[str, float]:
        """Name -> figure, for the summary and the tracking store."""
        figures: dict[str, float] = {"shapley_gap_max": max(table.gap for table in self.regions)}
        for kind in MAPS:
            suffix = kind.replace("-", "_").replace(" ", "_")
            figures[f"ig_gap_median_{suffix}"] = float(np.median(self.gaps(kind)))
            figures[f"ig_gap_max_{suffix}"] = float(self.gaps(kind).max())
        figures["ig_gap_median"] = figures["ig_gap_median_float"]
        for kind, found in self.agreements.items():
            suffix = kind.replace("-", "_").replace(" ", "_")
            figures[f"shapley_correlation_{suffix}"] = found.median
            figures[f"shapley_same_top_{suffix}"] = found.top_share
        figures |= {
            f"{emotion}_expected_mass_over_area": mass / area for emotion, (mass, area) in self.expected().items()
        }
        overlaps = unit_overlap(self.summaries["one-bit"].mean_absolute, self.summaries["one-bit"].emotions)
        figures["region_iou"] = float(np.mean(list(overlaps.values()))) if overlaps else 0.0
        figures["outside_share"] = float(self.regions[0].outside().mean())
        for name in ("deletion", "insertion", "deletion_random", "insertion_random"):
            figures[f"{name}_auc"] = float(getattr(self.faithful, name).mean())
        figures["randomised_spearman"] = self.randomised
        figures["max_sensitivity"] = float(np.median(self.sensitivity))
        return {name: round(value, 6) for name, value in figures.items()}

    def expected(self) -> dict[str, tuple[float, float]]:
        """Emotion -> the mean share of exact values on the regions of its action units, and of area, over faces that show it."""
        mass, area = self.regions[0].expected(self.region_labels)
        labels = np.array(self.region_labels)
        shown = [emotion for emotion in self.regions[0].emotions if np.isfinite(mass[labels == emotion]).any()]
        return {
            emotion: (float(np.mean(mass[labels == emotion])), float(np.mean(area[labels == emotion])))
            for emotion in shown
        }

    def sentence(self) -> str:
        """One line for the summary."""
        ratios = [f"{emotion} {mass / area:.1f}" for emotion, (mass, area) in self.expected().items()]
        found = self.agreements["one-bit"]
        return (
            f"exact values of {counted(len(self.regions[0].regions), 'region')} add up within {self.regions[0].gap:.0e}; mass "
            "on the regions of an "
            f"emotion's action units, relative to a uniform map: {', '.join(ratios)}; one-bit maps agree with them "
            f"{found.median:.2f} (median correlation), the twin's leave {np.median(self.gaps('float')):.1%} unexplained; "
            f"{self.sanity()}"
        )

    def sanity(self) -> str:
        """What the model-randomisation test says, in words."""
        from bitface.explain.sanity import speaks_of_what_was_learned

        rank = f"rank correlation {self.randomised:.2f}"
        if speaks_of_what_was_learned(self.randomised):
            return f"with randomised weights they look different ({rank})"
        return f"WITH RANDOMISED WEIGHTS THEY LOOK ALIKE ({rank}): do not rely on them"


def explain_models(
    run: Run, model: Model, data: Data, load: LoadRuntime, rival: Runtime | None, report: Report
) -> Explained:
    """Explains the deployed model, its training graph and its twin, compared with the training people's mean face.

    `rival` is the champion, where there is one: it is asked of the same faces, against the mean face of its own.
    """
    from bitface.training.batches import apex_stills
    from bitface.training.loop import load_model

    params, runtime = run.params.explain, load(model.bundle.folder)
    one_bit, twin = (load_model(model.networks.folder / precision) for precision in ("one-bit", "float"))
    table = data.originals
    if run.members.folds:
        table = with_folds(table, run.members.folds, judged=None, validation=0)
    taught = TrainingFaces.of(table.of_split("train"), runtime.reads)
    judged = apex_stills(table.of_split("validation" if run.members.folds else "gate"))
    is_crop = runtime.reads == "crops"
    wide = spread_over_labels(judged, params.crop_region_samples if is_crop else params.region_samples)
    shown = spread_over_labels(judged, params.crop_samples if is_crop else params.samples)
    baselines = baselines_of(taught)
    faces = Faces(
        inputs=shown.column(runtime.reads),
        lengths=shown.lengths,
        baseline=baselines[0],
        owners=pixel_owners(shown.landmarks) if is_crop else None,
    )
    noise = (params.ig_noise * taught.deviation).astype(np.float32)
    attributions = _maps(one_bit, twin, faces, noise, params, run.params.seed, report)
    exact = explain_regions(shown, runtime, baselines[0])
    labels = tuple(EMOTIONS[label] for label in wide.labels)
    explained = Explained(
        attributions=attributions,
        summaries={kind: summarise(made) for kind, made in attributions.items()},
        persons=shown.persons,
        regions=_tables(wide, runtime, baselines, report),
        region_persons=wide.persons,
        region_labels=labels,
        agreements={kind: agreement(attributions[kind], exact) for kind in ("one-bit", PLAIN)},
        faithful=_faithful(shown, faces, runtime, attributions["one-bit"], params, run.params.seed),
        randomised=_without_knowledge(one_bit, faces, noise, attributions["one-bit"], params, run.params.seed),
        sensitivity=_sensitivity(shown, runtime, baselines[0], taught, params, run.params.seed),
        reads=runtime.reads,
        rival_shares=_rival_shares(rival, wide, runtime, labels),
    )
    write_atomically(run.folder / "reports" / "explain.json", json.dumps(_document(explained), indent=1).encode())
    return explained


def explain_regions(shown: ClipTable, runtime: Runtime, baseline: Baseline) -> RegionTable:
    """Exact values of the regions of each still of a table against one baseline, by the deployed model."""

    def score(inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        return runtime.calibrator.log_odds(runtime.logits(inputs, lengths))

    made, owned = [], []
    for face, landmarks in zip(shown.column(runtime.reads), shown.landmarks, strict=True):
        region_of, names = regions_of_face(runtime.reads, landmarks)
        own = baseline if baseline.name != BLURRED else blurred(face[0])
        made.append(region_shapley(score, face, own.face, region_of, regions=names, baseline_name=own.name))
        owned.append(region_of)
    return RegionTable.of(made, owned, runtime.emotions)


def _rival_shares(
    rival: Runtime | None, wide: ClipTable, runtime: Runtime, labels: Sequence[str]
) -> NDArray[np.float64] | None:
    """None where it reads another input, whose regions are of other sizes, or ships no mean face."""
    if rival is None or rival.reads != runtime.reads or rival.faces is None:
        return None
    return explain_regions(wide, rival, baselines_of(rival.faces)[0]).expected(labels)[0]


def _tables(
    wide: ClipTable, runtime: Runtime, baselines: Sequence[Baseline], report: Report
) -> tuple[RegionTable, ...]:
    """Against the mean face, and against a second: the neutral one for landmarks, the same face blurred for crops."""
    second = (replace(baselines[0], name=BLURRED),) if runtime.reads == "crops" else baselines[1:]
    asked = (baselines[0], *second)
    tables = []
    for done, baseline in enumerate(asked, start=1):
        tables.append(explain_regions(wide, runtime, baseline))
        report("explaining regions", done, len(asked))
    return tuple(tables)


def _maps(
    one_bit: TrainedModel,
    twin: TrainedModel,
    faces: Faces,
    noise: NDArray[np.float32],
    params: ExplainParams,
    seed: int,
    report: Report,
) -> dict[str, Attribution]:
    from bitface.explain.integrated_gradients import gradient_of, integrated_gradients, refined

    def integrated(model: TrainedModel) -> Callable[[NDArray[np.int64], int], Attribution]:
        return lambda rows, steps: integrated_gradients(
            model.network,
            faces.where(rows),
            emotions=model.emotions,
            steps=steps,
            gradient=gradient_of(model.network),
        )

    makers: dict[str, Callable[[], Attribution]] = {
        "one-bit": lambda: _completed(one_bit.network, one_bit.emotions, faces, noise, params, seed),
        PLAIN: lambda: integrated(one_bit)(np.arange(len(faces.inputs)), params.ig_steps),
        "float": lambda: refined(
            integrated(twin),
            len(faces.inputs),
            steps=params.ig_steps,
            steps_max=params.ig_steps_max,
            gap=params.ig_gap,
        ),
    }
    made = {}
    for done, (kind, make) in enumerate(makers.items(), start=1):
        made[kind] = make()
        report("explaining", done, len(makers))
    return made


def _completed(
    network: ClipNet,
    emotions: Sequence[str],
    faces: Faces,
    noise: NDArray[np.float32],
    params: ExplainParams,
    seed: int,
) -> Attribution:
    from bitface.explain.integrated_gradients import NoisyPaths, completed_gradients

    region_of = region_of_landmark() if faces.owners is None else regions_of_owners(faces.owners)
    return completed_gradients(
        network,
        faces,
        emotions=emotions,
        region_of=region_of,
        paths=NoisyPaths(orders=params.ig_orders, copies=params.ig_copies, noise=noise, seed=seed),
    )


def _faithful(
    shown: ClipTable, faces: Faces, runtime: Runtime, maps: Attribution, params: ExplainParams, seed: int
) -> Faithfulness:
    """Of each face's true emotion, where the model was taught it."""
    labels = [EMOTIONS[label] for label in shown.labels]
    rows = np.array([row for row, label in enumerate(labels) if label in maps.emotions], dtype=np.int64)
    outputs = np.array([maps.emotions.index(labels[row]) for row in rows], dtype=np.int64)
    return faithfulness(
        runtime.logits,
        faces.where(rows),
        maps.values[rows, outputs],
        outputs,
        steps=params.path_steps,
        random_orders=params.random_orders,
        seed=seed,
    )


def _without_knowledge(
    model: TrainedModel,
    faces: Faces,
    noise: NDArray[np.float32],
    maps: Attribution,
    params: ExplainParams,
    seed: int,
) -> float:
    """Rank agreement of the model's importances with those of the same network with its weights in a random order."""
    import torch

    from bitface.explain.sanity import randomised, rank_agreement

    inputs = torch.from_numpy(faces.inputs.astype(np.float32))
    other = randomised(model.network, inputs, torch.from_numpy(faces.lengths), seed)
    blank = _completed(other, model.emotions, faces, noise, params, seed)
    return rank_agreement(summarise(maps).mean_absolute, summarise(blank).mean_absolute)


def _sensitivity(
    shown: ClipTable, runtime: Runtime, baseline: Baseline, taught: TrainingFaces, params: ExplainParams, seed: int
) -> NDArray[np.float64]:
    """Of the exact values; which pixel is whose stays as it was."""
    from bitface.explain.sensitivity import max_sensitivity

    def explain(inputs: FaceValues, copies: int) -> NDArray[np.float64]:
        table = shown.where(np.repeat(np.arange(len(shown.labels)), copies))
        column: Document = {"crops" if runtime.reads == "crops" else "landmarks": inputs}
        return explain_regions(replace(table, **column), runtime, baseline).values

    return max_sensitivity(
        explain,
        shown.column(runtime.reads),
        taught.deviation,
        share=params.perturbation,
        copies=params.perturbed,
        seed=seed,
    )


def spread_over_labels(table: ClipTable, count: int) -> ClipTable:
    """Up to `count` rows, in turn from each label, so that no emotion is left out; the same rows each time."""
    order = np.lexsort((table.sample_ids, _turn_within_label(table.labels)))
    return table.where(np.sort(order[:count]))


def _turn_within_label(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    turns = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        turns[rows] = np.arange(len(rows))
    return turns


def _document(explained: Explained) -> dict[str, object]:
    """Means over people alone: no map of anyone."""
    return {
        "figures": explained.figures(),
        "regions": [
            {
                "baseline": table.baseline,
                "faces": len(table.values),
                "gap": table.gap,
                "mean_share": {
                    emotion: dict(zip(table.regions, map(float, shares), strict=True))
                    for emotion, shares in zip(table.emotions, table.mass().mean(axis=0), strict=True)
                },
            }
            for table in explained.regions
        ],
        "maps": {
            kind: {
                "method": summary.method,
                "label": summary.label,
                "steps": summary.steps,
                "baseline": summary.baseline,
                "samples": summary.samples,
                "regions": {
                    emotion: dict(zip(REGIONS, map(float, shares), strict=True))
                    for emotion, shares in zip(summary.emotions, summary.region_share, strict=True)
                },
                "top_landmarks": {
                    emotion: ranking[:20].tolist()
                    for emotion, ranking in zip(summary.emotions, summary.ranking, strict=True)
                },
            }
            for kind, summary in explained.summaries.items()
        },
    }

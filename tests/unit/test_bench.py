"""The benchmark's numbers: ratios by round, claims only where they are made, and words for what a runtime cannot take."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from bitface.adapters import figures
from bitface.binarize.cost import Cost
from bitface.errors import InputError
from bitface.evaluation.latency import Latency, Ratio, interleaved_ms, ratio_of
from bitface.evaluation.machine import Processor, processor
from bitface.params import read_params
from bitface.steps.studies.bench import (
    OURS,
    RIVALS,
    Bench,
    Row,
    chosen_rivals,
    claims_of,
)
from bitface.steps.studies.bench_report import bench_document, bench_text, report_bench
from bitface.steps.studies.bench_subjects import make_subjects, random_faces

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
COST = Cost(one_bit_weights=8, int8_weights=2, float_weights=3, one_bit_macs=2_500_000, int8_macs=40_000, float_macs=0)
FAST = Processor(model="X", cores=2, flags=("avx2", "avx512_vpopcntdq"))
SLOW = Processor(model="Y", cores=2, flags=("avx2",))
OTHER = Processor(model="Z", cores=2, flags=("asimd",))


def row(network, key, ratio=None, size=1000, quiet=None):
    return Row(
        network=network,
        runtime=key[0],
        precision=key[1],
        latency=Latency(p50_ms=0.2 * (ratio or 1), p95_ms=0.3 * (ratio or 1), rounds=10),
        size_bytes=size,
        ratio=None
        if ratio is None
        else Ratio(median=ratio, lo=ratio - 1, hi=ratio + 1, quiet=ratio if quiet is None else quiet),
        int8_error=0.03 if key[1] == "int8" else None,
    )


def rows(torch_ratio=18.0, int8_ratio=7.0, backbone=26, bundle=18):
    return [
        row("face backbone 64", OURS),
        row("face backbone 64", RIVALS["torch"], torch_ratio, size=1000 * backbone),
        row("face backbone 64", RIVALS["int8"], int8_ratio),
        row("face_net 64", OURS),
        row("face_net 64", RIVALS["torch"], 12.0, size=1000 * bundle),
    ]


def bench(here=FAST, **changes):
    found = rows(**changes)
    return Bench(
        processor=here,
        rounds=10,
        calls=2,
        rows=tuple(found),
        skipped=("openvino int8 cannot take landmark_net",),
        costs={one.network: COST for one in found},
        claims=claims_of(found, here, PARAMS.bench),
        calibrated_on="random pictures: there is no dataset",
        whole={"detector": Latency(p50_ms=9.0, p95_ms=12.0, rounds=5)},
    )


def test_a_ratio_is_the_median_over_rounds_of_their_ratios():
    """Rounds slow down together: 10/1, 40/4, 30/3, 20/2 are all 10, and the medians' ratio is 10 only by luck."""
    ratio = ratio_of(np.array([10.0, 40, 30, 20]), np.array([1.0, 4, 3, 2]))
    assert (ratio.median, ratio.lo, ratio.hi) == (10, 10, 10)
    assert ratio_of(np.array([1.0, 2, 3, 4, 5]), np.ones(5)) == Ratio(median=3.0, lo=2.0, hi=4.0, quiet=1.0)


def test_a_busy_machine_cannot_make_a_claim_hold():
    """Their times double while other work runs, ours do not; a quiet round tells 10."""
    theirs = np.array([10.0] * 20 + [20.0] * 80)
    ratio = ratio_of(theirs, np.ones(100))
    assert (ratio.median, ratio.quiet, ratio.cautious) == (20, 10, 10)
    found = [row("face backbone 64", OURS), row("face backbone 64", RIVALS["torch"], 20.0, quiet=10.0)]
    claims = {claim.words: (claim.found, claim.holds) for claim in claims_of(found, FAST, PARAMS.bench)}
    assert claims["backbone faster than torch eager fp32"] == (10.0, False)


def test_a_turn_of_several_calls_counts_their_median():
    """Calls of 1, 5 and 2 seconds."""
    ticks = iter(np.cumsum([0, 1, 0, 5, 0, 2]).tolist())
    found = interleaved_ms({"a": lambda: None}, rounds=1, warmup=0, clock=lambda: next(ticks), calls=3)
    assert found["a"].tolist() == [2000]
    with pytest.raises(InputError, match="0 calls"):
        interleaved_ms({"a": lambda: None}, rounds=1, warmup=0, calls=0)


def test_claims_say_what_was_asked_and_found():
    found = {claim.words: claim for claim in bench().claims}
    assert found["backbone faster than torch eager fp32"].found == 18.0
    assert [claim.holds for claim in found.values()] == [True] * 4
    assert [claim.holds for claim in bench(torch_ratio=14.9, bundle=9).claims] == [False, True, True, False]


def test_with_avx2_alone_lower_claims_are_made():
    asked = {claim.words: (claim.asked, claim.holds) for claim in bench(SLOW, torch_ratio=9.0, int8_ratio=1.7).claims}
    assert asked["backbone faster than torch eager fp32"] == (7.0, True)
    assert asked["backbone faster than onnxruntime int8"] == (1.8, False)


def test_no_claim_of_speed_is_made_for_a_processor_that_cannot_count_bits_in_vectors():
    assert [claim.holds for claim in bench(OTHER, torch_ratio=9.0).claims] == [None, None, True, True]
    assert "not made for this processor" in bench_text(bench(OTHER))


def test_the_strongest_rival_is_named_and_a_network_that_one_bit_does_not_win():
    """What a fair reader looks for first stands below the claims, and on the reviewer's page."""
    assert "fastest rival of face backbone 64" in bench_text(bench())
    assert "onnxruntime int8, 7.0 times as long (6.0 to 8.0)" in bench_text(bench())
    assert "not the fastest" not in bench_text(bench())
    lost = replace(
        bench(), rows=(*rows(), row("landmark_net", OURS), row("landmark_net", RIVALS["openvino_fp32"], 0.5))
    )
    lost = replace(lost, costs={**lost.costs, "landmark_net": next(iter(lost.costs.values()))})
    assert bench_text(lost).endswith(
        "one-bit is not the fastest for landmark_net\ndetector                         9.00 ms (p95 12.00)"
    )


def test_what_was_not_timed_makes_no_claim():
    assert claims_of(rows()[:1], FAST, PARAMS.bench) == ()


def test_rivals_are_chosen_by_name_and_an_unknown_one_is_refused():
    assert chosen_rivals("fp32, int8") == ("fp32", "int8")
    assert chosen_rivals(None) == tuple(RIVALS)
    for wrong in ("int4", "fp32,nope", " , "):
        with pytest.raises(InputError, match="--against takes torch, "):
            chosen_rivals(wrong)


def test_the_processor_is_read_from_what_linux_says(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name : Some CPU\nflags : fpu avx2 avx512_vpopcntdq\n\nprocessor : 1\n")
    here = processor(cpuinfo)
    assert (here.model, here.flags, here.counts_bits_in_vectors) == ("Some CPU", ("avx2", "avx512_vpopcntdq"), True)
    assert processor(tmp_path / "gone").flags == ()


def test_the_document_has_the_keys_of_the_contract_and_the_text_every_row():
    document = json.loads(json.dumps(bench_document(bench())))
    assert {"cpu", "batch", "threads", "rounds", "rows"} <= set(document)
    assert set(document["cpu"]) == {"model", "cores", "flags"}
    wanted = {"network", "runtime", "precision", "p50_ms", "p95_ms", "bytes", "ratio_to_one_bit"}
    assert all(wanted <= set(one) for one in document["rows"])
    text = bench_text(bench())
    assert "18.0x (17.0 to 19.0), quiet 18.0x" in text
    assert "off by 3.0 %" in text
    assert [one["int8_error"] for one in document["rows"]] == [None, None, 0.03, None, None]
    assert "face_net 64: 2.50 M one-bit, 0.04 M int8 multiply-accumulates" in text
    assert "openvino int8 cannot take landmark_net" in text
    assert "DOES NOT HOLD" in bench_text(bench(torch_ratio=10.0))


class Shown:
    """A reviewer's store that remembers what it was shown."""

    def log_report(self, report):
        self.report = report
        return "1"


def test_table_and_picture_are_kept_and_shown(tmp_path):
    shown = Shown()
    report_bench(bench(), ("torch", "int8"), tmp_path, figures, shown, "c0ffee", datetime(2026, 1, 1, tzinfo=UTC))
    table = list(csv.DictReader(io.StringIO((tmp_path / "bench.csv").read_text())))
    assert len(table) == 5
    assert table[1]["ratio_to_one_bit"] == "18.0"
    assert shown.report.kind == "bench"
    assert shown.report.metrics["bench/face backbone 64/torch eager_fp32/ratio"] == 18.0
    title, caption = figures.caption_of(shown.report.figures[0])
    assert title == "Time per face"
    assert "logarithmic" in caption


def test_stills_for_other_runtimes_are_answered_as_clips_of_one_frame():
    """Of every kind of network; small ones, since size changes nothing of it."""
    faces, ones = random_faces(2, 3), torch.ones(3, dtype=torch.int64)
    small = PARAMS.training.face_net.model_copy(update={"stages": 2, "blocks": 1, "features": 32, "pruned": None})
    training = PARAMS.training.model_copy(update={"face_net": small})
    for subject in make_subjects(training, PARAMS.bench.model_copy(update={"channels": 32}), 1):
        column = torch.from_numpy(faces.crops if subject.twin.reads == "crops" else faces.landmarks)
        for network in (subject.twin, subject.one_bit):
            assert torch.allclose(network.still_logits(column), network(column, ones), atol=1e-5), subject.name

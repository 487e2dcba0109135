"""Puts a benchmark into a table, JSON, CSV and a picture: ratios with their spread, and every claim beside what was found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from bitface.binarize.cost import Cost
from bitface.counted_words import counted
from bitface.dataset.files import write_atomically
from bitface.dataset.incoming.spreadsheets import write_rows
from bitface.evaluation.latency import Ratio
from bitface.figure_ports import BenchRow, Figures
from bitface.metric_names import metric_name
from bitface.ports import TrackedReport, Tracking
from bitface.steps.retrain.reuse import key_of
from bitface.steps.studies.bench import OURS, Bench, Claim, Row

_COLUMNS = (
    *("network", "runtime", "precision", "p50_ms", "p95_ms", "bytes"),
    *("ratio_to_one_bit", "ratio_lo", "ratio_hi", "ratio_quiet", "int8_error"),
)


def bench_document(bench: Bench) -> dict[str, object]:
    """The benchmark as plain values, for JSON."""
    return {
        "cpu": {
            "model": bench.processor.model,
            "cores": bench.processor.cores,
            "flags": list(bench.processor.flags),
        },
        "batch": 1,
        "threads": 1,
        "rounds": bench.rounds,
        "calls": bench.calls,
        "weights": "random",
        "int8_calibrated_on": bench.calibrated_on,
        "rows": [_row(row) for row in bench.rows],
        "costs": {name: asdict(cost) for name, cost in bench.costs.items()},
        "skipped": list(bench.skipped),
        "claims": [asdict(claim) for claim in bench.claims],
        "whole": {
            name: {"p50_ms": round(one.p50_ms, 4), "p95_ms": round(one.p95_ms, 4)} for name, one in bench.whole.items()
        },
    }


def bench_text(bench: Bench) -> str:
    """The table for a terminal."""
    here = bench.processor
    lines = [
        f"{here.model}, {here.cores} cores, {' '.join(here.flags) or 'flags unknown'}",
        f"one face, one thread, {counted(bench.rounds, 'interleaved round')} of {counted(bench.calls, 'call')}, random weights; "
        f"int8 calibrated on {bench.calibrated_on}",
        "ratios: median over rounds (quartiles), and of the quietest round of each; claims take the lower one",
    ]
    network = ""
    for row in bench.rows:
        if row.network != network:
            network = row.network
            lines += ["", f"{network}: {_cost_words(bench.costs[network])}"]
        off = "" if row.int8_error is None else f"  off by {100 * row.int8_error:.1f} %"
        lines.append(
            f"  {row.runtime:<20} {row.precision:<8} {row.latency.p50_ms:8.3f} ms  p95 {row.latency.p95_ms:8.3f}  "
            f"{row.size_bytes / 1000:8.0f} kB  {_ratio_words(row.ratio)}{off}"
        )
    lines += ["", *bench.skipped, *(_claim_words(claim) for claim in bench.claims), *_rival_lines(bench)]
    lines += [f"{name:<32} {one.p50_ms:.2f} ms (p95 {one.p95_ms:.2f})" for name, one in bench.whole.items()]
    return "\n".join(lines)


def report_bench(
    bench: Bench, against: Sequence[str], folder: Path, draw: Figures, tracking: Tracking, commit: str, at: datetime
) -> dict[str, object]:
    """Writes `bench.csv` and `bench.png` into `folder` and shows them to reviewers; `draw` is the figures adapter.

    Returns:
        the benchmark as plain values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = bench_document(bench)
    table = folder / "bench.csv"
    write_atomically(table, _csv(bench).encode())
    figure = _figure(bench, draw, folder / "bench.png")
    tracking.log_report(
        TrackedReport(
            report_id=key_of(document, at.isoformat()),
            kind="bench",
            title=f"bench · {bench.processor.model}",
            started_at=at,
            evidence="none",
            code_commit=commit,
            headline={claim.words: _found(claim) for claim in bench.claims} | _strongest(bench),
            params={"against": ",".join(against), "rounds": bench.rounds, "flags": " ".join(bench.processor.flags)},
            metrics=_metrics(bench),
            figures=(figure,),
            reports={"bench": table},
        )
    )
    return document


def _ratio_words(ratio: Ratio | None) -> str:
    if ratio is None:
        return "   ours"
    return f"{ratio.median:6.1f}x ({ratio.lo:.1f} to {ratio.hi:.1f}), quiet {ratio.quiet:.1f}x"


def _row(row: Row) -> dict[str, object]:
    ratio = row.ratio
    values = (
        row.network,
        row.runtime,
        row.precision,
        round(row.latency.p50_ms, 4),
        round(row.latency.p95_ms, 4),
        row.size_bytes,
        1.0 if ratio is None else round(ratio.median, 2),
        1.0 if ratio is None else round(ratio.lo, 2),
        1.0 if ratio is None else round(ratio.hi, 2),
        1.0 if ratio is None else round(ratio.quiet, 2),
        None if row.int8_error is None else round(row.int8_error, 4),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _csv(bench: Bench) -> str:
    text = io.StringIO(newline="")
    write_rows(text, [_COLUMNS, *(tuple(_row(row).values()) for row in bench.rows)])
    return text.getvalue()


def _metrics(bench: Bench) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for row in bench.rows:
        place = metric_name("bench", row.network, f"{row.runtime}_{row.precision}")
        metrics |= {f"{place}/p50_ms": row.latency.p50_ms, f"{place}/bytes": float(row.size_bytes)}
        if row.ratio:
            metrics |= {f"{place}/ratio": row.ratio.median, f"{place}/ratio_quiet": row.ratio.quiet}
    return metrics


def _figure(bench: Bench, draw: Figures, path: Path) -> Path:
    rows = [
        BenchRow(
            network=row.network,
            name="one-bit" if (row.runtime, row.precision) == OURS else f"{row.runtime} {row.precision}",
            milliseconds=row.latency.p50_ms,
            high=row.latency.p95_ms,
            ratio=None if row.ratio is None else row.ratio.median,
        )
        for row in bench.rows
    ]
    caption = (
        f"{bench.processor.model}, one face, one thread, {counted(bench.rounds, 'interleaved round')}: dot = median, line to the 95th "
        "percentile, on a logarithmic scale, with the ratio to one-bit (the blue line). Orange diamonds are "
        "faster than one-bit. Weights are random: they do not change the time. The landmark detector is not included."
    )
    return draw.bench_figure(rows, caption, path)


def _cost_words(cost: Cost) -> str:
    """Multiply-accumulates by kind, in millions."""
    kinds = (("one-bit", cost.one_bit_macs), ("int8", cost.int8_macs), ("float", cost.float_macs))
    return ", ".join(f"{macs / 1e6:.2f} M {kind}" for kind, macs in kinds if macs) + " multiply-accumulates"


def fastest_rivals(rows: Sequence[Row]) -> dict[str, Row]:
    """Network -> the rival that comes closest to one bit, or overtakes it: what a fair reader compares with."""
    fastest: dict[str, tuple[float, Row]] = {}
    for row in rows:
        if row.ratio and row.ratio.cautious < fastest.get(row.network, (float("inf"), row))[0]:
            fastest[row.network] = (row.ratio.cautious, row)
    return {network: row for network, (_, row) in fastest.items()}


def _rival_lines(bench: Bench) -> list[str]:
    fastest = fastest_rivals(bench.rows)
    lines = [f"{words:<46} {found}" for words, found in _strongest(bench).items()]
    lost = [name for name, row in fastest.items() if row.ratio and row.ratio.cautious < 1]
    return lines + ([f"one-bit is not the fastest for {', '.join(lost)}"] if lost else [])


def _strongest(bench: Bench) -> dict[str, str]:
    """The fastest rival of the network that claims are made of, in words."""
    named = [(network, row) for network, row in fastest_rivals(bench.rows).items() if "backbone" in network]
    return {
        f"fastest rival of {network}": f"{row.runtime} {row.precision}, {row.ratio.median:.1f} times as long "
        f"({row.ratio.lo:.1f} to {row.ratio.hi:.1f})"
        for network, row in named
        if row.ratio
    }


def _found(claim: Claim) -> str:
    return f"{claim.found:.1f} times, {claim.asked:g} required"


def _claim_words(claim: Claim) -> str:
    said = {True: "holds", False: "DOES NOT HOLD", None: "not made for this processor"}[claim.holds]
    return f"{claim.words:<46} {_found(claim)}: {said}"

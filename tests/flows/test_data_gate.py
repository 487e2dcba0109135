"""The data gate as people meet it: the real command says what to look at, and leaves a page and a list that need nothing else."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.builders import begin_source, consent, write_consents

ADDRESS = re.compile(r"""(?:https?:)?//[a-z]|\b(?:src|href)\s*=\s*["']?[^"'#\s]|@import|url\(""", re.IGNORECASE)


@pytest.fixture(scope="module")
def source(stills: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of six people, and somebody who brings one of them mirrored, as jpeg, under another label."""
    folder = tmp_path_factory.mktemp("source")
    pictures = sorted(stills.iterdir())
    rows = []
    for number, path in enumerate(pictures[:: max(1, len(pictures) // 18)][:18]):
        (folder / f"{number}.png").write_bytes(path.read_bytes())
        rows.append((f"{number}.png", f"p{number % 6}", ("fear", "happiness")[number // 6 % 2]))
    with Image.open(folder / "0.png") as image:
        ImageOps.mirror(image.convert("RGB")).save(folder / "again.jpg", quality=80)
    rows.append(("again.jpg", "p9", "surprise"))
    with (folder / "manifest.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([("path", "subject_id", "label"), *rows])
    write_consents(folder, (consent(who) for who in sorted({row[1] for row in rows})))
    begin_source(folder)
    return folder


def test_somebody_who_brings_another_s_picture_is_told_of_it(source, tmp_path, bitface) -> None:
    taken = bitface(tmp_path, "data", "import", str(source), "--format", "folder")
    assert taken.returncode == 0, taken.stderr[-2000:]
    judged = bitface(tmp_path, "data", "validate", "--json")
    assert judged.returncode in (0, 3), judged.stderr[-2000:]
    found = json.loads(judged.stdout)
    said = [sentence for sentence in found["advice"] if sentence.startswith("1 pair of samples shows one picture")]
    assert len(said) == 1 and "1 under two labels" in said[0]
    rows = list(csv.DictReader(Path(found["review"]).read_text(encoding="utf-8").splitlines()))
    (copy,) = [row for row in rows if row["other_sample_id"]]
    assert copy["why"].startswith("the picture of another person") and "under another label" in copy["why"]
    page = Path(found["docs_index"]).read_text(encoding="utf-8")
    assert "no picture stands under another person as well" in page and "review.csv" in page
    people = "".join(f"{name} " for name in ("p0", "p9")).split()
    assert not ADDRESS.search(page) and not any(
        re.search(rf"\b{who}\b", page + Path(found["review"]).read_text()) for who in people
    )


def test_a_retrain_keeps_page_and_list_beside_its_other_reports(done) -> None:
    project, summary, _ = done
    docs = project / "home" / "runs" / summary["run_id"] / "data_docs"
    assert {path.name for path in docs.iterdir()} == {"index.html", "review.csv"}
    page = (docs / "index.html").read_text(encoding="utf-8")
    assert not ADDRESS.search(page) and "<h2>Schema</h2>" in page
    kept = [path for path in project.rglob("review.csv") if "mlruns" in path.parts or "artifacts" in path.parts]
    assert kept, "MLflow shows it too"

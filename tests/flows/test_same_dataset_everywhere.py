"""The dataset's digest does not depend on the processor: instruction sets, vector width, threads or a library's choice by them."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_OLD = {  # a processor of 2008: no AVX, no fused multiply-add
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Prescott",
    "OPENBLAS_NUM_THREADS": "1",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL",
    "JSIMD_FORCENONE": "1",
}
_MIDDLE = {  # one of 2015: AVX2 and fused multiply-add, no AVX-512
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL",
    "JSIMD_FORCESSE2": "1",
}
_SIZE = (
    "features.workers=1",
    "synthetic.frames_per_clip=3",
    "synthetic.image_px=96",
    "synthetic.emotions=[anger, neutral]",
)


def _digest(folder: Path, masked: dict[str, str]) -> tuple[str, int]:
    """Of every file of a small dataset that a process of its own writes, with its own head and kernels from nothing."""
    script = (
        "import sys, json; from pathlib import Path; from functools import partial; from flows.wiring import open_tools, renderer;"
        "from bitface.steps.intake import write_synthetic_dataset;"
        "tools = open_tools(overrides=json.loads(sys.argv[1])); p = tools.params;"
        "write_synthetic_dataset(tools.workspace.data, p.synthetic, p.seed, 1, renderer(tools), tools.encode, lambda *_: None)"
    )
    sets = json.dumps([*_SIZE, "synthetic.training_people=10", "synthetic.gate_people=4"])
    own = {name: str(folder / name) for name in ("BITFACE_HOME", "BITFACE_DATA", "BITFACE_CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", script, sets],
        cwd=ROOT,
        env={**os.environ, **own, **masked},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    files = sorted(path for path in (folder / "BITFACE_DATA").rglob("*") if path.is_file())
    whole = hashlib.sha256()
    for path in files:
        whole.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return whole.hexdigest(), len(files)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the masks are those of x86-64")
def test_masked_instruction_sets_write_the_same_dataset(tmp_path: Path) -> None:
    """14 people, whole files, on this processor as it is, as one of 2015 and as one of 2008 (about 30 s of one core)."""
    digests = {name: _digest(tmp_path / name, mask) for name, mask in (("here", {}), ("2015", _MIDDLE), ("2008", _OLD))}
    assert digests["here"][1] > 14
    assert len(set(digests.values())) == 1, digests

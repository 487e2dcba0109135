"""The dataset's digest does not depend on the processor: instruction sets, vector width, threads or a library's choice by them."""

from __future__ import annotations

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
_SMALL = {"frames_per_clip: 5": "frames_per_clip: 3", "image_px: 192": "image_px: 96", "  workers: 2": "  workers: 1"}


def _version(project: Path, masked: dict[str, str]) -> str:
    """What `bitface data synthesize` pins in a project of its own, with its own head and kernels from nothing."""
    project.mkdir()
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for usual, small in _SMALL.items():
        assert usual in params
        params = params.replace(usual, small, 1)
    (project / "params.yaml").write_text(params, encoding="utf-8")
    own = {name: str(project / name) for name in ("BITFACE_HOME", "BITFACE_DATA", "BITFACE_CACHE")}
    command = [
        sys.executable,
        "-m",
        "bitface.cli",
        "data",
        "synthesize",
        "--people",
        "10",
        "--gate-people",
        "4",
        "--json",
    ]
    done = subprocess.run(command, cwd=project, env={**os.environ, **own, **masked}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return str(json.loads(done.stdout)["version"])


@pytest.mark.long
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the masks are those of x86-64")
def test_masked_instruction_sets_write_the_same_dataset(tmp_path: Path) -> None:
    """14 people, encrypted and pinned, on this processor as it is and as one of 2008; with BITFACE_EVIDENCE=full as one of 2015 too."""
    masks = {"here": {}, "2008": _OLD}
    if os.environ.get("BITFACE_EVIDENCE") == "full":
        masks["2015"] = _MIDDLE
    versions = {name: _version(tmp_path / name, mask) for name, mask in masks.items()}
    assert len(set(versions.values())) == 1, versions

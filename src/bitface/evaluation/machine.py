"""Says which processor a time was measured on, and what it has that one-bit arithmetic lives on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FLAGS: Final = (
    "avx2",
    "avx512f",
    "avx512_vpopcntdq",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "sve",
)
"""Of the flags that Linux names, those that decide how fast whole numbers and bits are counted."""


@dataclass(frozen=True, kw_only=True)
class Processor:
    """`cores` that this process may use; `flags` of FLAGS."""

    model: str
    cores: int
    flags: tuple[str, ...]

    @property
    def counts_bits_in_vectors(self) -> bool:
        """Whether 512 bits are counted at once, which the highest claims of speed are made for."""
        return "avx512_vpopcntdq" in self.flags

    @property
    def has_avx2(self) -> bool:
        """Whether bits are counted by look-ups in vectors of 256, which lower claims are made for."""
        return "avx2" in self.flags


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """The processor of this machine; without `cpuinfo` (not Linux) its flags are not known."""
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.is_file() else ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    known = fields.get("flags", fields.get("features", "")).split()
    model = fields.get("model name") or platform.processor() or platform.machine() or "unknown"
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Processor(model=model, cores=usable, flags=tuple(flag for flag in FLAGS if flag in known))

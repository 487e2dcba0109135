"""What the tests beside this one call a command is one: a fork of a process that has imported the tools does what an interpreter does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "words", [("policy", "show"), ("gate", "show", "none", "--json"), ("retrain", "--set", "nonsense"), ("consent",)]
)
def test_a_fork_answers_as_a_new_interpreter(words: tuple[str, ...], tmp_path: Path, bitface, bitface_afresh) -> None:
    """The same code, output and errors, on the same home; and nothing is left of it for the next one."""
    told = [run(tmp_path, *words) for run in (bitface, bitface_afresh)]
    said = [(one.returncode, one.stdout, one.stderr) for one in told]
    assert said[0] == said[1] and any(said[0])


def test_a_fork_has_an_environment_and_a_mask_of_its_own(tmp_path: Path, bitface) -> None:
    """What one command was told, or set, the next one does not know."""
    loud = bitface(tmp_path / "one", "policy", "show", BITFACE_LOG="info")
    quiet = bitface(tmp_path / "two", "policy", "show")
    assert "command ended" in loud.stderr and quiet.stderr == ""
    again = bitface(tmp_path / "one", "policy", "show", BITFACE_LOG="info")
    assert again.stderr.count("command ended") == 1
    assert "BITFACE_LOG" not in os.environ

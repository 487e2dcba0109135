"""What a tool imports for features that are not used is left out for the tool alone."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from bitface.unneeded_modules import without_modules

TOOL = """
import heavy_one.part
from heavy_one import part as again
class Drawing(heavy_one.part.Base):
    colour: again.Colour
USED = 7
"""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tool that imports `heavy_one`, which is there as well."""
    (tmp_path / "tool_with_drawing.py").write_text(TOOL)
    (tmp_path / "heavy_one").mkdir()
    (tmp_path / "heavy_one" / "__init__.py").write_text("")
    (tmp_path / "heavy_one" / "part.py").write_text("class Base: real = True\nclass Colour: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("heavy_one", "heavy_one.part", "tool_with_drawing"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(sys.modules, "prefect", raising=False)
    return "tool_with_drawing"


def test_the_tool_does_without_them_and_whoever_imports_them_later_gets_the_real_ones(tool: str) -> None:
    with without_modules("heavy_one", "heavy_one.part"):
        found = importlib.import_module(tool)
    assert found.USED == 7 and not hasattr(found.Drawing, "real")
    assert "heavy_one" not in sys.modules
    assert importlib.import_module("heavy_one.part").Base.real


def test_what_was_imported_before_stays(tool: str) -> None:
    real = importlib.import_module("heavy_one.part")
    with without_modules("heavy_one", "heavy_one.part"):
        assert importlib.import_module(tool).Drawing.real
    assert sys.modules["heavy_one.part"] is real


def test_beside_a_flow_nothing_is_left_out(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prefect", sys)
    with without_modules("heavy_one", "heavy_one.part"):
        assert importlib.import_module(tool).Drawing.real


def test_an_import_that_fails_leaves_no_empty_module(tool: str) -> None:
    with pytest.raises(RuntimeError), without_modules("heavy_one", "heavy_one.part"):
        raise RuntimeError("no such tool")
    assert "heavy_one" not in sys.modules

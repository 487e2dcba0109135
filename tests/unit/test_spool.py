"""What an import keeps aside comes back as it was, and lies nowhere in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.dataset.spool import Spool


def test_what_is_put_comes_back_and_the_file_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Spool() as spool:
        kept = [spool.put(text) for text in (b"a face", b"", b"another face" * 1000)]
        assert [read() for read in reversed(kept)] == [b"another face" * 1000, b"", b"a face"]
        spool._file.seek(0)
        assert b"face" not in spool._file.read()
        assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="closed"):
        kept[0]()

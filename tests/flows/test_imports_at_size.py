"""Large imports, with the real command: what is wrong with a whole manifest is said in one line."""

from __future__ import annotations

from pathlib import Path

from tests.builders import begin_source, consent, write_consents, write_noise, write_rows


def test_a_manifest_of_another_folder_is_said_in_one_line(run, tmp_path: Path) -> None:
    """None of its files is there: not the reason of one row counts, but that the paths begin somewhere else."""
    source = tmp_path / "source"
    begin_source(source)
    write_rows(source, [f"faces/p{number}.png,p{number},fear" for number in range(300)])
    write_consents(source, [consent("p1")])
    for words in ([], ["--dry-run"]):
        code, _, error = run("data", "import", source, "--format", "folder", *words)
        assert code == 2
        assert "none of the 300 files that the rows name is in folder 'source', where their paths begin" in error
        assert "name the folder that they begin in" in error
    (source / "faces").mkdir()
    write_noise(source / "faces" / "p1.png", 1)
    code, done, error = run("data", "import", source, "--format", "folder")
    assert (code, done["people"], len(done["quarantined"])) == (0, 1, 299), error

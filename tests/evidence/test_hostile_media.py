"""What people bring may be made by an attacker: files that are damaged or too large, that tell on somebody, or that lead elsewhere.

Each test runs the real command, which answers, counts every row and stays small.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.adapters.media_files import encode_frames, read_image
from bitface.dataset.incoming.source_paths import SourceFolder
from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import Shard, read_shard
from bitface.errors import InputError
from tests.builders import write_noise
from tests.clips import acted, encoded
from tests.evidence.hostile_files import (
    SECRET,
    VIDEOS,
    mutated,
    noise,
    picture_bombs,
    saved,
    seeds,
    telling,
    video_bombs,
)

pytestmark = pytest.mark.timeout(36000)

ROOT = Path(__file__).resolve().parents[2]
MOST_MB = 300
LICENCE = {"id": "hostile", "name": "brought by anybody", "text": "For benchmark.", "purposes": ["benchmark"]}
AFTERWARDS = (
    ["data", "status", "--json"],
    ["data", "validate", "--purpose", "benchmark", "--json"],
    ["doctor", "--json"],
)
CHUNKS = {b"IHDR", b"IDAT", b"IEND"}
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "bitface.cli", *sys.argv[1:]], timeout=3000).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def source_of(folder: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    """A folder to import from, of these files by name, each of a person of its own."""
    folder.mkdir(parents=True)
    rows = ["path,subject_id,label"]
    for name, data in files:
        (folder / name).write_bytes(data)
        rows.append(f"{name},p-{name.partition('.')[0]},fear")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    (folder / "licence.json").write_text(json.dumps(LICENCE))
    return folder


def command(project: Path, *words: object) -> tuple[int, str, str, int]:
    """Exit code, standard output and error, and the megabytes of the largest of the processes that ran."""
    (project / "tmp").mkdir(parents=True, exist_ok=True)
    places = {"BITFACE_HOME": project / "home", "BITFACE_DATA": project / "data", "TMPDIR": project / "tmp"}
    told = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *map(str, words)],
        cwd=ROOT,
        env=os.environ | {name: str(place) for name, place in places.items()},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    *said, peak = told.stderr.strip().splitlines()
    return told.returncode, told.stdout, "\n".join(said), int(peak) >> 10


def imported(project: Path, source: Path, layout: str, *words: str) -> tuple[dict[str, Any], str, int]:
    """The report, everything that was said, and the megabytes."""
    code, out, error, peak = command(project, "data", "import", source, "--format", layout, "--json", *words)
    assert code == 0, error
    assert "Traceback" not in error
    report = json.loads(out)
    rows = (source / "manifest.csv").read_text().count("\n") - 1
    assert report["rows"] == rows == report["admitted"] + len(report["quarantined"])
    assert all(row["reason"] and "\n" not in row["reason"] for row in report["quarantined"])
    return report, out + error, peak


def named(prefix: str, files: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(f"{prefix}{number:05d}.bin", data) for number, (_, data) in enumerate(files)]


def test_damaged_files_and_bombs_are_read_or_refused_by_name(tmp_path, rounds, state, never) -> None:
    """No crash, no hang, and no process that grows by more than 300 MB over what two good files take."""
    (tmp_path / "seeds").mkdir()
    count = rounds(12, 2000)
    every = list(mutated(seeds(tmp_path / "seeds"), count))
    pictures = [one for one in every if one[0] not in VIDEOS] + list(picture_bombs())
    videos = [one for one in every if one[0] in VIDEOS] + list(video_bombs(tmp_path / "seeds"))
    good = {"folder": saved(noise(9), "PNG"), "video": encoded(tmp_path / "good.mp4", acted(9)).read_bytes()}
    refused, more = Counter[str](), {}
    base = source_of(tmp_path / "base", [("a.bin", good["folder"])])
    _, _, before = imported(tmp_path / "fresh", base, "folder", "--dry-run")
    for layout, files in (("folder", pictures), ("video", videos)):
        source = source_of(tmp_path / layout, [("good.bin", good[layout]), *named("x", files)])
        report, _, peak = imported(tmp_path / "fresh", source, layout, "--dry-run")
        assert report["admitted"] >= 1
        more[layout] = peak - before
        refused[layout] = len(report["quarantined"])
        assert refused[layout] > len(files) / 3
    assert max(more.values()) < MOST_MB
    n = len(pictures) + len(videos)
    grown = f"{more['folder']} MB for pictures, {more['video']} MB for videos"
    state(
        "Damaged media files and decompression bombs: crash or hang of an import",
        f"{never(n)}; {refused.total()} refused by row and reason; grew by {grown}",
        n,
    )


def places_of(secret: str) -> tuple[bytes, ...]:
    return secret.encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be")


def telling_files(folder: Path) -> list[Path]:
    """Files that hold a sentinel in any spelling."""
    words = places_of(SECRET)
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in found if any(word in path.read_bytes() for word in words)]


def check_bare(shard: Shard) -> int:
    """Every stored picture consists of pixels and nothing else; how many there are."""
    count = 0
    for media in shard.samples.values():
        with zipfile.ZipFile(io.BytesIO(media)) as archive:
            assert not archive.comment
            for entry in archive.infolist():
                assert not entry.extra and not entry.comment
                data, at, names = archive.read(entry), 8, set()
                while at < len(data):
                    names.add(data[at + 4 : at + 8])
                    at += 12 + int.from_bytes(data[at : at + 4], "big")
                assert names == CHUNKS
                count += 1
    return count


def test_what_files_tell_besides_their_pixels_is_nowhere_afterwards(tmp_path, rounds, state, never) -> None:
    """Exif, GPS, maker's notes, thumbnails, XMP, IPTC, profiles, comments, PNG's texts, boxes and tags of videos."""
    count = rounds(12, 500)
    (tmp_path / "seeds").mkdir()
    made = [telling(number, tmp_path / "seeds") for number in range(count)]
    assert all(any(word in data for word in places_of(secret)) for _, data, secret in made)
    project, said = tmp_path / "fresh", ""
    for layout, is_video in (("folder", False), ("video", True)):
        files = [
            (f"{number:05d}.{kind}", data)
            for number, (kind, data, _) in enumerate(made)
            if (kind in VIDEOS) == is_video
        ]
        report, told, _ = imported(project, source_of(tmp_path / layout, files), layout)
        assert report["quarantined"] == []
        said += told
    for words in AFTERWARDS[: rounds(0, len(AFTERWARDS))]:
        _, out, error, _ = command(project, *words)
        said += out + error
    assert SECRET not in said
    keys = KeyStore(project / "home" / "keys")
    people = {sample.person for sample in read_index(project / "data")}
    shards = [read_shard(project / "data", person, keys.key_of(person)) for person in people]
    assert len(people) == count and sum(map(check_bare, shards)) >= count
    plain = [bytes(one) for shard in shards for one in shard.samples.values()]
    assert not [one for one in plain if any(word in one for word in places_of(SECRET))]
    assert telling_files(project) == []
    state(
        "Words in media files (Exif, GPS, XMP, IPTC, ICC, comments, thumbnails, boxes) found after an import, in the clear shards too",
        never(count),
        count,
    )


LEADING_OUT = (
    *(
        "../canary.png",
        "sub/../../canary.png",
        "./../canary.png",
        "..",
        ".",
        "",
        "/",
        "//",
        "sub/..",
        "sub/../sub/../../canary.png",
    ),
    *(
        "{out}/canary.png",
        "/{out}/canary.png",
        "file://{out}/canary.png",
        "file:canary.png",
        "FILE:///{out}/canary.png",
    ),
    *(
        "\\\\server\\share\\canary.png",
        "//server/share/canary.png",
        "C:\\canary.png",
        "C:/canary.png",
        "c:canary.png",
        "\\\\?\\C:\\x.png",
    ),
    *(
        "..\\canary.png",
        "sub\\..\\..\\canary.png",
        "%2e%2e/canary.png",
        "..%2fcanary.png",
        "..%00/canary.png",
        "..;/canary.png",
    ),
    *(
        "....//canary.png",
        "...//canary.png",
        ".../canary.png",
        "\uff0e\uff0e/canary.png",
        "\u2025/canary.png",
        "..\u2215canary.png",
    ),
    *("..\u2044canary.png", "\u202egnp.yranac/..", "\u200b../canary.png", ".\u200b./canary.png", "..\ufeff/canary.png"),
    *(
        "link.png",
        "linked/canary.png",
        "linked/../canary.png",
        "sub/link.png",
        "loop/loop/loop/a.png",
        "hollow.png",
        "here/a.png",
    ),
    *("CON", "nul", "NUL.png", "com1.png", "LPT9", "aux.png", "a.png:stream", "a.png::$DATA", "CONIN$", "prn/a.png"),
    *(
        "/dev/stdin",
        "/dev/zero",
        "/proc/self/environ",
        "/proc/self/cwd/a.png",
        "/etc/passwd",
        "dev/null",
        "pipe.png",
        "folder.png",
    ),
    *(
        "~/canary.png",
        "~root/canary.png",
        "$HOME/canary.png",
        "${{PATH}}",
        "`id`.png",
        "$(id).png",
        "|cat",
        "-rf",
        "; rm -rf x",
        "a.png;b",
    ),
    *(
        "a.png/",
        "a.png/.",
        "a.png/..",
        "a.png/../../canary.png",
        "a.png ",
        " ../canary.png",
        "a.png.",
        "a.png\u00a0",
        "A.PNG",
        "*.png",
    ),
    *(
        "http://127.0.0.1/canary.png",
        "data:image/png;base64,AA",
        "concat:a.png|../canary.png",
        "pipe:0",
        "subfile,,start,0,end,9,,:a.png",
    ),
    *(
        "e\u0301.png",
        "\u00e9.png",
        "\u1e9b\u0323.png",
        "\u212b.png",
        "A\u030a.png",
        "\ufb01.png",
        "\u0130.png",
        "\u017f.png",
        "\ud7ff.png",
    ),
)


def hostile_paths(out: Path, count: int) -> list[str]:
    """The list above, then parts of it put together at random, and some that are very long."""
    whole = [text.format(out=out) for text in LEADING_OUT]
    parts = sorted({part for text in whole for part in text.split("/")} | {"sub", "a.png", "canary.png"})
    for number in itertools.count(len(whole)):
        if number >= count:
            return whole[:count]
        rng = np.random.default_rng([11, number])
        text = "/".join(parts[rng.integers(len(parts))] for _ in range(rng.integers(1, 9)))
        form = ("NFC", "NFD", "NFKC", "NFKD")[number % 4]
        long = {0: "x" * 300, 1: "x/" * 2100, 2: "../" * 2000, 3: "x" * 70_000}.get(number % 97, "")
        whole.append(unicodedata.normalize(form, long + text))
    raise AssertionError


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A source with one good picture, and with links, a pipe and folders that lead out of it, to a picture that must not be taken."""
    source = source_of(tmp_path / "out" / "source", [])
    write_noise(tmp_path / "out" / "canary.png", 666)
    write_noise(source / "a.png", 1)
    write_noise(source / "good picture.png", 2)
    (source / "sub").mkdir()
    (source / "folder.png").mkdir()
    (source / "link.png").symlink_to(tmp_path / "out" / "canary.png")
    (source / "sub" / "link.png").symlink_to("../../canary.png")
    (source / "linked").symlink_to(tmp_path / "out")
    (source / "here").symlink_to(".")
    (source / "loop").symlink_to("loop")
    (source / "hollow.png").symlink_to("nowhere")
    os.mkfifo(source / "pipe.png")
    return source


def test_no_path_of_a_manifest_leads_out_of_its_folder(tmp_path, trap, rounds, state, never) -> None:
    paths = hostile_paths(trap.parent, rounds(150, 5000))
    rows = [f"{quoted(text)},p{number},fear" for number, text in enumerate(paths)]
    (trap / "manifest.csv").write_text("\n".join(["path,subject_id,label", *rows, "good picture.png,good,fear"]) + "\n")
    before = snapshot(trap.parent)
    code, out, error, _ = command(tmp_path / "fresh", "data", "import", trap, "--format", "folder", "--json")
    assert code == 0, error
    assert "Traceback" not in error
    report = json.loads(out)
    assert report["rows"] == len(paths) + 1 == report["admitted"] + len(report["quarantined"])
    # Several spellings of a.png are one picture of several people, so that none of these is taken.
    taken = pictures_in(tmp_path / "fresh")
    assert (
        noise_of(trap / "good picture.png")
        in taken
        <= {noise_of(trap / name) for name in ("good picture.png", "a.png")}
    )
    assert snapshot(trap.parent) == before
    reached = [found for found in map(finder(trap), [*paths, "a\0b.png", "\0", "../\0"]) if found is not None]
    assert {os.path.realpath(path) for path in reached} <= {str(trap / "a.png")}
    state("Hostile paths in a manifest that led out of its folder", never(len(paths)), len(paths))


def finder(source: Path) -> Callable[[str], Path | None]:
    folder = SourceFolder(source)

    def find(text: str) -> Path | None:
        try:
            return folder.file(text)
        except InputError:
            return None

    return find


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def noise_of(path: Path) -> bytes:
    return encode_frames([read_image(path)], lossless=True)


def pictures_in(project: Path) -> set[bytes]:
    """The pictures of a dataset, as they are stored."""
    keys = KeyStore(project / "home" / "keys")
    people = {sample.person for sample in read_index(project / "data")}
    shards = [read_shard(project / "data", person, keys.key_of(person)) for person in people]
    return {media for shard in shards for media in shard.samples.values()}

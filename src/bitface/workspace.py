"""Where files are: the only module that turns environment variables into folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bitface.errors import InputError
from bitface.surroundings import no_folder, trouble_with


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Folders of one installation. `home` contains everything the program writes, `cache` what can be recreated."""

    root: Path
    home: Path
    cache: Path
    data: Path
    params: Path

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def stages(self) -> Path:
        """Results of stages by content key; people's features in it are encrypted like their shards."""
        return self.home / "stages"

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.home / 'ledger.db'}"


def open_workspace(environment: Mapping[str, str], root: Path) -> Workspace:
    """The workspace of a project at `root`; BITFACE_HOME, BITFACE_CACHE, BITFACE_DATA and BITFACE_PARAMS move its parts.

    Raises:
        InputError: a variable begins with `~` and an unknown user, or home or cache would lie in the dataset folder.
    """

    def folder(name: str, default: Path) -> Path:
        try:
            return Path(environment.get(name) or default).expanduser().absolute()
        except RuntimeError as error:
            raise InputError(f"{name}: that user has no home folder; write the full path") from error

    place = Workspace(
        root=root.absolute(),
        home=folder("BITFACE_HOME", root / ".bitface"),
        cache=folder("BITFACE_CACHE", platformdirs.user_cache_path("bitface")),
        data=folder("BITFACE_DATA", root / "data"),
        params=folder("BITFACE_PARAMS", root / "params.yaml"),
    )
    _check_apart(place)
    return place


def _check_apart(place: Workspace) -> None:
    """A change of the dataset replaces the whole folder, and so keys and ledger if they lay in it."""
    data = os.path.realpath(place.data)
    for name, folder in (("BITFACE_HOME", place.home), ("BITFACE_CACHE", place.cache)):
        if Path(os.path.realpath(folder)).is_relative_to(data):
            raise InputError(
                f"{name} '{folder}' lies in the dataset folder '{place.data}', which every import replaces as a whole; set {name} or "
                "BITFACE_DATA to another folder"
            )


def check_folders(place: Workspace) -> None:
    """Checks that home, the dataset folder and the cache are folders where they exist: a question would be answered as in a new project.

    Raises:
        InputError: one is, or lies below, a file or a link that leads nowhere.
    """
    for name, folder in (("home", place.home), ("data", place.data), ("cache", place.cache)):
        if words := no_folder(folder):
            raise InputError(f"{name} {words}")


def trouble_in(place: Workspace) -> dict[str, str]:
    """Which of home, dataset folder and cache cannot be written -> why, in words; empty if all can."""
    # Beside the dataset: a reader of the folder must not meet the probe.
    beside = place.data if place.data.exists() and not place.data.is_dir() else place.data.parent
    data = _linked(place.data) or trouble_with(beside)
    found = {"home": trouble_with(place.home), "data": data, "cache": trouble_with(place.cache)}
    return {name: words for name, words in found.items() if words}


def _linked(data: Path) -> str | None:
    if not data.is_symlink():
        return None
    return f"'{data}' is a link, and DVC keeps versions of none; set BITFACE_DATA to the folder that it leads to"


def check_places(place: Workspace) -> None:
    """Checks that results can be stored.

    Raises:
        InputError: home, the dataset folder or the cache cannot be written.
    """
    for name, words in trouble_in(place).items():
        raise InputError(f"{name} {words}")

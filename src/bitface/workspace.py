"""Where things lie: the only place that turns environment variables into folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Folders of one installation. `home` holds all that the program writes, `cache` what can be made again."""

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
    """The workspace of a project at `root`; BITFACE_HOME, BITFACE_CACHE, BITFACE_DATA and BITFACE_PARAMS move its parts."""

    def folder(name: str, default: Path) -> Path:
        return Path(environment.get(name) or default).expanduser().absolute()

    return Workspace(
        root=root.absolute(),
        home=folder("BITFACE_HOME", root / ".bitface"),
        cache=folder("BITFACE_CACHE", platformdirs.user_cache_path("bitface")),
        data=folder("BITFACE_DATA", root / "data"),
        params=folder("BITFACE_PARAMS", root / "params.yaml"),
    )

"""Checkpoints as commits of a branch elsewhere. The server makes it append-only: receive.denyNonFastForwards and denyDeletes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bitface.errors import InputError

BRANCH: Final = "refs/heads/bitface-checkpoints"
_SECONDS: Final = 60
_TRIES: Final = 3
_MAX_BYTES: Final = 64 * 1024**2
_KEPT: Final = ("PATH", "HOME", "SSH_AUTH_SOCK")
"""Environment variables passed to git; others are not, since they can make it run programs and contact other servers."""
_SETTINGS: Final = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0")
_FIXED: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file:ssh",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
    "GIT_AUTHOR_NAME": "bitface",
    "GIT_AUTHOR_EMAIL": "bitface@localhost",
    "GIT_COMMITTER_NAME": "bitface",
    "GIT_COMMITTER_EMAIL": "bitface@localhost",
    "LC_ALL": "C",
}


class GitPlace:
    """As `ports.CheckpointPlace`; `copy` is a disposable folder that the branch is fetched to."""

    def __init__(self, url: str, copy: Path) -> None:
        self._url, self._copy = url, copy
        self.name = f"git+{url}"

    def names(self, since: str) -> Sequence[str]:
        """The names from this one on, in order; none if there is no such branch yet."""
        tip = self._fetched()
        listed = self._git("ls-tree", "--name-only", tip).decode().splitlines() if tip else []
        return sorted(name for name in listed if name >= since)

    def read(self, name: str) -> bytes:
        """The bytes of a checkpoint, as fetched; empty if it is not a file or is too large for a checkpoint."""
        _, kind, *size = self._git("cat-file", "--batch-check", stdin=f"{BRANCH}:{name}\n".encode()).split()
        if kind != b"blob" or int(size[0]) > _MAX_BYTES:
            return b""
        return self._git("cat-file", "blob", f"{BRANCH}:{name}")

    def add(self, name: str, data: bytes) -> None:
        """Stores a checkpoint as its own commit, pushed without force; existing ones stay."""
        for tried in range(1, _TRIES + 1):
            if name in self.names(name):
                self._git("push", "--quiet", "--dry-run", "--", self._url, f"{BRANCH}:{BRANCH}")
                return
            if self._pushed(name, data, is_last=tried == _TRIES):
                return

    def _pushed(self, name: str, data: bytes, is_last: bool) -> bool:
        """Whether the push succeeded; False if another one came first."""
        tip = self._tip()
        listed = self._git("ls-tree", tip) if tip else b""
        blob = self._git("hash-object", "-w", "--stdin", stdin=data).strip().decode()
        tree = self._git("mktree", stdin=listed + f"100644 blob {blob}\t{name}\n".encode()).strip().decode()
        parents = ("-p", tip) if tip else ()
        commit = self._git("commit-tree", tree, *parents, "-m", f"Checkpoint {name}").strip().decode()
        try:
            self._git("push", "--quiet", "--", self._url, f"{commit}:{BRANCH}")
        except InputError:
            if is_last or not self._moved_from(tip):
                raise
            return False
        self._git("update-ref", BRANCH, commit)
        return True

    def _moved_from(self, tip: str) -> bool:
        return self._fetched() != tip

    def _fetched(self) -> str:
        """The head of the remote branch, fetched into the copy; empty if there is none."""
        if not (self._copy / "HEAD").is_file():
            self._copy.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._git("init", "--quiet", "--bare", "--template=")
        remote = self._git("ls-remote", "--", self._url, BRANCH).split()
        if remote and remote[0].decode() != self._tip():
            # Not by force: a branch that does not continue from what was fetched before was rewritten.
            self._git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", self._url, f"{BRANCH}:{BRANCH}")
        return remote[0].decode() if remote else ""

    def _tip(self) -> str:
        return self._git("for-each-ref", "--format=%(objectname)", BRANCH).strip().decode()

    def _git(self, *words: str, stdin: bytes = b"") -> bytes:
        settings = [word for one in _SETTINGS for word in ("-c", one)]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _FIXED
        command = ["git", *settings, f"--git-dir={self._copy}", *words]
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and no word that git could take for an option
                command, input=stdin, env=environment, capture_output=True, check=True, timeout=_SECONDS
            )
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines() or [f"git ended with {error.returncode}"]
            raise InputError(
                f"{lines[0][:200]}; check the repository and your permission to push to {BRANCH.rpartition('/')[2]}"
            ) from error
        except (OSError, subprocess.SubprocessError) as error:
            raise InputError(
                f"git did not answer ({type(error).__name__}); install it, or check the network"
            ) from error
        return done.stdout

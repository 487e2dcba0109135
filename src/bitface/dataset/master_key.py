"""Where the master key comes from: a file beside the keys, the environment, or a command that queries a key service."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from typing import Final

from bitface.errors import InputError

KEY: Final = "BITFACE_MASTER_KEY"
NEXT: Final = "BITFACE_MASTER_KEY_NEXT"
COMMAND: Final = "BITFACE_MASTER_KEY_COMMAND"
_SECONDS: Final = 30
_HEX: Final = 64


def given_master_keys(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """The 32 bytes given by BITFACE_MASTER_KEY as 64 hexadecimal digits, or printed by BITFACE_MASTER_KEY_COMMAND; during a rotation,
    those of BITFACE_MASTER_KEY_NEXT follow. Empty if the key is stored beside the keys.

    Raises:
        InputError: not 64 hexadecimal digits, or the command failed. The message never contains the value.
    """
    if environment.get(KEY):
        first = _key_from(environment[KEY], KEY)
    elif environment.get(COMMAND):
        first = _key_from(_printed(environment[COMMAND]), COMMAND)
    else:
        return ()
    return (first, _key_from(environment[NEXT], NEXT)) if environment.get(NEXT) else (first,)


def _key_from(text: str, name: str) -> bytes:
    """32 bytes of 64 hexadecimal digits; raises InputError naming where they came from."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) * 2 != _HEX:
        raise InputError(f"{name} is not a key of {_HEX} hexadecimal digits; `openssl rand -hex 32` creates one")
    return key


def _printed(command: str) -> str:
    try:
        done = subprocess.run(shlex.split(command), check=True, capture_output=True, text=True, timeout=_SECONDS)  # noqa: S603 - the owner's own command
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise InputError(
            f"the command in {COMMAND} failed ({type(error).__name__}); run it by hand to see why"
        ) from error
    return done.stdout

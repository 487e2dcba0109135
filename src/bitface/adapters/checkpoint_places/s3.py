"""Checkpoints in a bucket that speaks S3. With versioning and object lock there, the right to add one does not allow removing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

from bitface.errors import InputError

_SECONDS: Final = 10
_MAX_BYTES: Final = 64 * 1024**2
_EXISTS: Final = ("PreconditionFailed", "ConditionalRequestConflict")


class S3Place:
    """As `ports.CheckpointPlace`; credentials, region and endpoint are those of the usual AWS_... variables."""

    def __init__(self, url: str) -> None:
        self._bucket, _, folder = url.removeprefix("s3://").partition("/")
        self._prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        self.name = url

    def names(self, since: str) -> Sequence[str]:
        """The names from this one on, in order: earlier ones are not listed."""
        # S3 lists what follows a key, so the key without its last letter is given to include it.
        asked = {"Bucket": self._bucket, "Prefix": self._prefix, "StartAfter": f"{self._prefix}{since[:-1]}"}
        with _trouble_explained():
            pages = self._client.get_paginator("list_objects_v2").paginate(**asked)
            keys = [one["Key"].removeprefix(self._prefix) for page in pages for one in page.get("Contents", ())]
        return sorted(key for key in keys if key >= since and "/" not in key)

    def read(self, name: str) -> bytes:
        """The bytes of a checkpoint; empty if it is too large for one."""
        with _trouble_explained():
            body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            data = bytes(body.read(_MAX_BYTES + 1))
        return data if len(data) <= _MAX_BYTES else b""

    def add(self, name: str, data: bytes) -> None:
        """Stores a checkpoint; existing ones stay."""
        from botocore.exceptions import ClientError

        with _trouble_explained():
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] not in _EXISTS:
                    raise

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        patience = Config(
            connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"mode": "standard", "total_max_attempts": 2}
        )
        return boto3.client("s3", config=patience)


@contextmanager
def _trouble_explained() -> Iterator[None]:
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise InputError("the S3 client is not installed; run pip install 'bitface[s3]'") from error
    try:
        yield
    except ClientError as error:
        raise InputError(
            f"it answered {error.response['Error']['Code']}; check the bucket's name and permissions, and AWS_ACCESS_KEY_ID"
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise InputError(
            f"it cannot be reached ({type(error).__name__}); check the network, AWS_ENDPOINT_URL, AWS_REGION and AWS_ACCESS_KEY_ID"
        ) from error

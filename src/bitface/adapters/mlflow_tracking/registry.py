"""Projects versions and aliases of the ledger into MLflow's registry, so that a kill leaves no half-registered version.

Files first, then the version with all its tags in one transaction, aliases last. Only plain files, never a flavour:
nothing in the registry is ever unpickled.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bitface.adapters.mlflow_tracking.notes import REGISTERED_MODEL_NOTE, version_note
from bitface.adapters.mlflow_tracking.store import MlflowStore, quotable
from bitface.errors import InputError
from bitface.ports import ShownVersions, TrackedVersion

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

ALIASES: Final = ("champion", "challenger", "previous", "demo")
VERSION_TAG: Final = "ledger.version"
BUNDLE_TAG: Final = "bundle.sha256"
STATUS_TAG: Final = "status"
PLACE_TAG: Final = "bundle.place"
"""Path of a version's files below the artefact folder: unlike a URI, it survives a move of that folder."""


class MlflowRegistry:
    """Versions and aliases on one store. A version is identified by the ledger's number, stored in a tag."""

    def __init__(self, store: MlflowStore) -> None:
        """Only keeps the store."""
        self._store = store

    def register(self, version: TrackedVersion, mlflow_run_id: str) -> int:
        """Shows a version, with its bundle as `bundle/` of the run's files; returns MLflow's number for it.

        A registered bundle keeps its number and files, and its tags are updated; files that were deleted with another run are restored
        below this one.

        Raises:
            InputError: the bundle is missing, or the run has the bundle of another version.
        """
        versions = self._versions(version.name)
        known = next((one for one in versions if one.tags.get(BUNDLE_TAG) == version.bundle_sha256), None)
        if known is not None:
            self._retag(known, version)
            if not (self._store.artefacts / known.tags.get(PLACE_TAG, "..")).is_dir():
                place = f"{mlflow_run_id}/artifacts/bundle"
                self._put(version, mlflow_run_id, place)
                self._store.client.set_model_version_tag(version.name, known.version, PLACE_TAG, place)
            return int(known.version)
        place = f"{mlflow_run_id}/artifacts/bundle"
        if any(one.tags.get(PLACE_TAG) == place for one in versions):
            raise InputError(
                f"run '{version.run_id}' has a registered bundle already; register this one from its own run"
            )
        self._put(version, mlflow_run_id, place)
        self._ensure_model(version.name)
        created = self._store.client.create_model_version(
            version.name,
            source=(self._store.artefacts / place).as_uri(),
            run_id=mlflow_run_id,
            tags={**_tags(version), PLACE_TAG: place},
            description=version_note(version),
            await_creation_for=0,
        )
        return int(created.version)

    def point_aliases(self, name: str, aliases: Mapping[str, int | None]) -> tuple[str, ...]:
        """Sets aliases to the ledger's versions (None: nowhere), `champion` last; returns those that were changed.

        Raises:
            InputError: a version was never registered here.
        """
        self._ensure_model(name)
        shown = {str(alias): int(at) for alias, at in self._store.client.get_registered_model(name).aliases.items()}
        wanted = {alias: self._number(name, version) for alias, version in aliases.items()}
        moved = [alias for alias in sorted(wanted) if shown.get(alias) != wanted[alias]]
        for alias in sorted(moved, key=lambda alias: alias == "champion"):
            number = wanted[alias]
            if number is None:
                self._store.client.delete_registered_model_alias(name, alias)
            else:
                self._store.client.set_registered_model_alias(name, alias, str(number))
        return tuple(moved)

    def tell_status(self, name: str, lines: Mapping[int, str]) -> None:
        """Writes the status line of each of the ledger's versions into the tag `status` of its MLflow version."""
        for known in self._versions(name):
            line = lines.get(int(known.tags.get(VERSION_TAG, 0)))
            if line is not None and known.tags.get(STATUS_TAG) != line:
                self._store.client.set_model_version_tag(name, known.version, STATUS_TAG, line)

    def shown(self, name: str) -> ShownVersions:
        """Which of the ledger's versions are registered, and where the aliases point; empty if the name is new."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._store.client.get_registered_model(name).aliases
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return ShownVersions(versions=frozenset(), aliases={})
        numbers = {str(one.version): int(one.tags.get(VERSION_TAG, 0)) for one in self._versions(name)}
        aliases = {str(alias): numbers.get(str(at), 0) for alias, at in found.items() if alias in ALIASES}
        return ShownVersions(versions=frozenset(numbers.values()) - {0}, aliases=aliases)

    def version(self, name: str, version: int) -> ModelVersion:
        """MLflow's record of a version of the ledger; raises InputError if there is none."""
        for found in self._versions(name):
            if found.tags.get(VERSION_TAG) == str(version):
                return found
        raise InputError(f"'{name}' has no version {version}; the MLflow UI lists the registered versions")

    def _number(self, name: str, version: int | None) -> int | None:
        return None if version is None else int(self.version(name, version).version)

    def _versions(self, name: str) -> Sequence[ModelVersion]:
        return list(self._store.client.search_model_versions(f"name='{quotable(name)}'"))

    def _put(self, version: TrackedVersion, mlflow_run_id: str, place: str) -> None:
        if not version.bundle.is_dir():
            raise InputError(f"there is no bundle to register for run '{version.run_id}'; export the model again")
        # A killed registration may have left some files, of this bundle or of an earlier attempt.
        shutil.rmtree(self._store.artefacts / place, ignore_errors=True)
        self._store.log_path(mlflow_run_id, version.bundle, "bundle")

    def _retag(self, known: ModelVersion, version: TrackedVersion) -> None:
        for key, value in _tags(version).items():
            if known.tags.get(key) != value:
                self._store.client.set_model_version_tag(version.name, known.version, key, value)
        if known.description != version_note(version):
            self._store.client.update_model_version(version.name, known.version, version_note(version))

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._store.client.create_registered_model(name, description=REGISTERED_MODEL_NOTE)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _tags(version: TrackedVersion) -> dict[str, str]:
    return {
        "gate.decision": version.decision,
        "evidence": version.evidence,
        "purpose": version.purpose,
        "context": version.context,
        "gate.reasons": "; ".join(version.reasons) or "none",
        VERSION_TAG: str(version.version),
        BUNDLE_TAG: version.bundle_sha256,
        "weights.sha256": version.weights_sha256,
        "gate.decision_sha256": version.decision_sha256,
        "dataset.version": version.dataset_version,
        "consent.snapshot_sha256": version.consent_snapshot_sha256,
    }

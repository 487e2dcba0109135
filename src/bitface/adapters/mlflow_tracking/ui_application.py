"""MLflow's UI as an application for our guarded server; `mlflow server` would start it without a password."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bitface.adapters.servers.local_servers import Access, Application

_SECRET: Final = ("KEY", "PASSPHRASE", "PASSWORD", "SECRET", "TOKEN", "USERNAME")


def mlflow_ui(store_uri: str, artefacts: Path, access: Access, environment: Mapping[str, str]) -> Application:
    """MLflow on an existing store; the guard checks the password."""
    given = {
        name: value
        for name, value in environment.items()
        if name.startswith("MLFLOW_") and not any(word in name for word in _SECRET)
    }
    own = {
        # Variables that `mlflow server` sets for the processes it starts (mlflow.server.constants).
        "_MLFLOW_SERVER_FILE_STORE": store_uri,
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artefacts.as_uri(),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{access.port},localhost:{access.port}",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": access.address,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return Application(
        tool="MLflow",
        name="mlflow.server.fastapi_app:app",
        factory=False,
        checks_password=False,
        settings=given | own,
    )

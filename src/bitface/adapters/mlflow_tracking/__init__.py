"""MLflow: where a reviewer looks. A view of the ledger, projected again at any time, never read to decide anything.

Read `tracking` (a retrain as runs), `registry` (versions and aliases), `notes` (the text on top of a page), `store`.
"""

from bitface.adapters.mlflow_tracking.tracking import MlflowTracking

__all__ = ["MlflowTracking"]

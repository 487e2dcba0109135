"""MLflow: what reviewers look at. A view of the ledger that can be rebuilt at any time, never read to decide anything.

Read `tracking` (a retrain as runs), `registry` (versions and aliases), `notes` (the text at the top of a page), `store`.
"""

from bitface.adapters.mlflow_tracking.tracking import MlflowTracking

__all__ = ["MlflowTracking"]

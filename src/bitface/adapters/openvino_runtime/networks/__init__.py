"""The networks that bundles hold, by the name in their spec: every module here is one kind, and its `NETWORKS` registers it."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Final

from bitface.adapters.openvino_runtime.exported_network import ExportedNetwork


def _found() -> dict[str, ExportedNetwork]:
    modules = [import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return {name: network for module in modules for name, network in module.NETWORKS.items()}


NETWORKS: Final = _found()

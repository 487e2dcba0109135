"""Runs the one-bit model with OpenVINO's binary convolution, from a bundle that proves itself at every load."""

from bitface.adapters.openvino_runtime.bundle import BundleFacts, export_bundle
from bitface.adapters.openvino_runtime.runtime import OneBitRuntime

__all__ = ["BundleFacts", "OneBitRuntime", "export_bundle"]

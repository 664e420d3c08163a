"""ONNX Runtime that keeps to itself; import it from here and nowhere else.

Since 1.29 its published builds report what runs to their maker, and leave an identifier of the machine on the
disk, unless they are told not to before they are loaded. A service for children's drawings reports to nobody.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]

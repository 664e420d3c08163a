"""Where things lie that tests read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "docs" / "sample_drawing.jpg"
SHARED = ROOT.parent / "shared"
"""AnimatedDrawings' examples and the numbers it computed, where they stand beside the checkout."""

"""Reading what Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

Numbers = Callable[..., float | None]
"""Tells the value of a sample by its name and some of its labels, summed over the others."""


def numbers(text: str) -> Numbers:
    """Parse an exposition; the result tells the value of a sample with at least these labels."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def value(name: str, **labels: str) -> float | None:
        fitting = [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(fitting) if fitting else None

    return value

"""Workers of queued jobs, before they begin."""

from __future__ import annotations

import pytest

from animation_server.errors import SettingsError
from animation_server.jobs.worker import run_worker
from animation_server.settings import Settings


@pytest.mark.parametrize("settings", [Settings(), Settings(jobs="celery")])
def test_no_worker_without_a_queue(settings: Settings) -> None:
    """A worker that would wait for nothing says what it lacks."""
    with pytest.raises(SettingsError, match="ANIMATION_JOBS=celery"):
        run_worker(settings)

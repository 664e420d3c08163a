"""S3 fails in every way it can; the server says so, stores nothing by halves, and goes on when S3 does."""

from __future__ import annotations

import io

import pytest
import requests
from PIL import Image

from tests.parts.faulty_proxy import CUT_AFTER_BYTES, Fault
from tests.parts.stand import Stand, assert_try_again, heals, is_ready, metric, post

pytestmark = [pytest.mark.slow, pytest.mark.needs_torch]

FAULTS: dict[Fault, str] = {
    "refuse": "hangs up",
    "hang": "never answers",
    "answer": "answers 503 SlowDown",
    "tamper": "refuses the credentials",
    "cut": "is lost in the middle of a put",
}


@pytest.mark.parametrize(("number", "fault"), list(enumerate(FAULTS)), ids=list(FAULTS.values()))
def test_s3(stand: Stand, number: int, fault: Fault) -> None:
    """503 and Retry-After; nothing of it is visible; the same request succeeds once S3 is well again."""
    server, variant, before = stand.servers["http"], 10 + number, stand.keys()
    failures = metric(server, "dependency_failures_total", dependency="s3", code="storage_failed")
    recoveries = metric(server, "dependency_recoveries_total", dependency="s3")
    with stand.s3_proxy.broken(fault):
        assert_try_again(post(server, variant), 503, "storage_failed")
        assert metric(server, "dependency_failures_total", dependency="s3", code="storage_failed") > failures
        assert metric(server, "dependency_up", dependency="s3") == 0
        assert requests.get(f"{server.url}/healthz", timeout=5).ok
        # A put that is cut off is the one fault that asking for the bucket does not show.
        assert is_ready(server) == (fault == "cut")
    assert stand.keys() == before
    assert heals(server, variant)
    assert is_ready(server)
    assert metric(server, "dependency_up", dependency="s3") == 1
    assert metric(server, "dependency_recoveries_total", dependency="s3") == recoveries + 1
    (new,) = stand.keys() - before
    content = stand.bucket.Object(new).get()["Body"].read()
    assert len(content) > 2 * CUT_AFTER_BYTES
    with Image.open(io.BytesIO(content)) as gif:
        assert gif.n_frames == 12

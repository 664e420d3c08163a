"""What an orchestrator asks: is the process alive, and can it do its work."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, jsonify

from animation_server.api.answer_models import Health, Readiness
from animation_server.api.describe import Answer, describe
from animation_server.api.errors import error_response
from animation_server.api.parts import current_parts
from animation_server.errors import DependencyError

log = logging.getLogger(__name__)

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@describe("service", answers={200: Answer(Health, "Alive.")})
def healthz() -> Response:
    """Answer as long as the process can; asks nothing of others, whose failure a restart would not mend."""
    return jsonify({"ok": True})


@blueprint.get("/readyz")
@describe("service", answers={200: Answer(Readiness, "Ready.")}, errors=(503,))
def readyz() -> Response:
    """Answer 200 when the models and the storage do, 503 with the names of those that do not."""
    service = current_parts().service
    checks = {"warm_up": "running" if service.warming else "ok"}
    for name, part in (("inference", service.client), ("storage", service.store)):
        checks[name] = "ok"
        try:
            part.check()
        except DependencyError as exc:
            log.warning("not ready", extra={"check": name, "reason": str(exc)})
            checks[name] = "failing"
    waiting_for = [name for name, state in checks.items() if state != "ok"]
    if waiting_for:
        response = error_response("not_ready", f"Not ready: {', '.join(waiting_for)}.", 503, checks=checks)
        response.headers["Retry-After"] = "2"
        return response
    return jsonify({"ok": True, "checks": checks})

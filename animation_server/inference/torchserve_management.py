"""What TorchServe's management address tells: the versions of the models, and the state of their workers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter

from animation_server.errors import InferenceError, InferenceUnavailableError
from animation_server.inference.answers import validate_answer
from animation_server.inference.torchserve_http import HttpPeer

VERSION_LIFE_S = 30.0
"""How long a version that was read is believed; models may be replaced while we run."""


class _Worker(BaseModel):
    status: str


class _ModelAnswer(BaseModel):
    model_version: Annotated[str, Field(alias="modelVersion")]
    workers: list[_Worker] = []


_MODELS = TypeAdapter(list[_ModelAnswer])


class Management:
    """Asks the management address; every method raises InferenceError on failure."""

    def __init__(self, peer: HttpPeer, timeout_s: float) -> None:
        self._peer = peer
        self._timeout_s = timeout_s
        self._version = ""
        self._version_read_at = 0.0

    def version(self, models: Sequence[str]) -> str:
        """Name the default versions of some models, joined.

        Once read, a version is believed until another one is: what was made with it can be handed out also
        while TorchServe does not answer.
        """
        now = time.monotonic()
        if not self._version or now - self._version_read_at > VERSION_LIFE_S:
            self._version_read_at = now
            try:
                self._version = "+".join(self._describe(name)[0].model_version for name in models)
            except InferenceError:
                if not self._version:
                    raise
        return self._version

    def workers(self, model: str) -> list[str]:
        """List the states of a model's workers, e.g. READY."""
        return [worker.status for described in self._describe(model) for worker in described.workers]

    def close(self) -> None:
        """Let go of connections."""
        self._peer.close()

    def _describe(self, model: str) -> list[_ModelAnswer]:
        body = self._peer.exchange("GET", f"/models/{model}", self._timeout_s)
        described = validate_answer(model, _MODELS, body)
        if not described:
            raise InferenceUnavailableError(f"{model}: not registered with TorchServe")
        return described

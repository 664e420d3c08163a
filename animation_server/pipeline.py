"""The whole way from an image's bytes to the addresses of its animations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animation_server.admission import Deadline
from animation_server.animate import AnimationOptions
from animation_server.annotate import Annotation, annotate
from animation_server.clip import EXTENSIONS
from animation_server.concurrency import Executor
from animation_server.drawing import DecodeLimits, Drawing, decode_drawing
from animation_server.errors import DependencyError, InputError, NoFigureError
from animation_server.inference.contract import Detection, InferenceClient, Pose
from animation_server.observer import Observer, Unwatched
from animation_server.production import (
    OnProgress,
    Order,
    Production,
    Steps,
    blame_deadline,
    ignore_progress,
)
from animation_server.renderer import Renderer
from animation_server.sample import sample_drawing
from animation_server.stages import stage
from animation_server.storage import ObjectStore
from animation_server.storage.keys import animation_key, drawing_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnimationRequest:
    """What a caller asks for: an image file's bytes, names of motions without duplicates, and the look."""

    image: bytes
    motions: tuple[str, ...]
    options: AnimationOptions


@dataclass(frozen=True)
class AnimationResult:
    """What the caller gets.

    id : names the drawing, the same for the same file. urls : motion -> address. stages_s : seconds of work
    by stage, over all threads; empty where everything was stored already. keys : motion -> key in the store.
    """

    id: str
    urls: dict[str, str]
    stages_s: dict[str, float] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PipelineLimits:
    """How much work is taken in: requests at a time, and their age in seconds."""

    max_queue: int = 16
    deadline_s: float = 60.0


class AnimationService:
    """Holds the parts and what requests share."""

    def __init__(
        self,
        client: InferenceClient,
        store: ObjectStore,
        renderer: Renderer,
        executor: Executor,
        decode_limits: DecodeLimits,
        limits: PipelineLimits,
        key_salt: str = "",
        observer: Observer | None = None,
    ) -> None:
        self.client = client
        self.store = store
        self.renderer = renderer
        self.warming = False
        self._executor = executor
        self._decode_limits = decode_limits
        self._deadline_s = limits.deadline_s
        self._key_salt = key_salt
        self._observer = observer or Unwatched()
        self._production = Production(store, renderer, executor, self._observer, limits.max_queue)

    def animate(
        self,
        request: AnimationRequest,
        *,
        deadline: Deadline | None = None,
        progress: OnProgress = ignore_progress,
    ) -> AnimationResult:
        """Make what is missing and return the addresses of all animations asked for.

        deadline : None for the service's own.
        Raises InputError, CapacityError, CancelledError or DependencyError; nothing is stored of an image
        that is refused.
        """
        deadline = deadline or Deadline.after(self._deadline_s)
        self.check_motions(request.motions)
        drawing = drawing_id(request.image, self._key_salt)
        keys = self._keys(drawing, request)

        def prepare(steps: Steps) -> Any:
            decoded, annotation = self._annotate(request.image, steps)
            if request.options.background == "sheet":
                return self.renderer.prepare_on_sheet(decoded, annotation)
            return self.renderer.prepare(annotation.character)

        delivery = self._production.deliver(Order(keys, request.options, prepare), deadline, progress)
        return AnimationResult(drawing, delivery.urls, delivery.stages_s, keys)

    def check_motions(self, names: Sequence[str]) -> None:
        """Raise InputError unless all motions are known and there is at least one."""
        known = self.renderer.motions
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            came = ", ".join(repr(name[:40]) for name in unknown) or "none"
            raise InputError(
                f"Expected motions among {', '.join(sorted(known))}; came {came}.",
                code="unknown_motion",
                status=422,
            )

    def warm_up(self) -> None:
        """Load the models and compile the kernels; until that is done `warming` is True."""
        self.warming = True
        self._executor.run(self._warm_up)
        self.warming = False

    def close(self) -> None:
        """Finish running work, then let go of threads and connections."""
        self._executor.close()
        self.client.close()
        self.store.close()

    def _warm_up(self) -> None:
        try:
            annotate(sample_drawing(), self.client)
        except DependencyError as exc:
            # They may come up later; readiness keeps asking.
            log.warning("models not ready yet", extra={"reason": str(exc)})
        except NoFigureError:
            log.info("the models see no figure in the sample drawing")
        self.renderer.warm_up()

    def _annotate(self, image: bytes, steps: Steps) -> tuple[Drawing, Annotation]:
        with stage("decode"):
            drawing = decode_drawing(image, self._decode_limits)
        steps.passed("decode", 0.25)
        try:
            annotation = annotate(drawing, _ModelsInTime(self.client, steps.deadline))
        except NoFigureError:
            self._observer.annotated(self.client.version(), "no_figure")
            raise
        self._observer.annotated(self.client.version(), "figure")
        steps.passed("mask", 0.75)
        return drawing, annotation

    def _keys(self, drawing: str, request: AnimationRequest) -> dict[str, str]:
        decides = {
            **asdict(request.options),
            "working_size": self._decode_limits.working_size,
            "models": self.client.version(),
            "renderer": self.renderer.version,
        }
        extension = EXTENSIONS[request.options.format]
        return {
            name: animation_key(
                drawing, name, decides | {"motion": self.renderer.motions[name].digest}, extension
            )
            for name in request.motions
        }


class _ModelsInTime:
    """The models, asked for no longer than a deadline leaves."""

    def __init__(self, client: InferenceClient, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        self._deadline.check()
        with blame_deadline(self._deadline):
            return self._client.detect(image, self._deadline.remaining_s())

    def estimate_pose(self, crop: NDArray[np.uint8]) -> Pose:
        self._deadline.check()
        with blame_deadline(self._deadline):
            return self._client.estimate_pose(crop, self._deadline.remaining_s())

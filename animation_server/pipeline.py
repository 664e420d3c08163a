"""The whole way from an image's bytes to the addresses of its animations.

What is stored already is not made again; equal requests at the same time are worked on once; the rest is
admitted up to a bound. A drawing is annotated once, its motions are rendered side by side.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from animation_server.admission import Admission, Deadline, SingleFlight
from animation_server.animate import AnimationOptions
from animation_server.annotate import Annotation, annotate
from animation_server.character import Character
from animation_server.clip import EXTENSIONS, EncodedClip
from animation_server.concurrency import Executor
from animation_server.drawing import DecodeLimits, Drawing, decode_drawing
from animation_server.errors import DependencyError, InputError, NoFigureError
from animation_server.inference.contract import InferenceClient
from animation_server.sample import sample_drawing
from animation_server.storage import ObjectStore
from animation_server.storage.keys import animation_key, drawing_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MotionInfo:
    """One motion that can be asked for.

    frames, duration_s : of the whole clip, before frames are left out. digest : of everything that decides
    how it moves.
    """

    name: str
    frames: int
    duration_s: float
    digest: str


class Renderer(Protocol):
    """Turns characters into clips. Pure CPU work; safe to call from several threads."""

    @property
    def version(self) -> str:
        """Changes whenever the same character and motion may look different; part of every key."""
        ...

    @property
    def motions(self) -> Mapping[str, MotionInfo]:
        """Every motion by its name."""
        ...

    def prepare(self, character: Character) -> Any:
        """Do what all motions of a character share; `render` takes the result."""
        ...

    def prepare_on_sheet(self, drawing: Drawing, annotation: Annotation) -> Any:
        """Do the same for a figure that is animated on its own sheet."""
        ...

    def render(self, prepared: Any, motion: str, options: AnimationOptions) -> EncodedClip:
        """Render one motion of what was prepared."""
        ...

    def warm_up(self) -> None:
        """Compile and load what the first render would otherwise wait for."""
        ...


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
    by stage, over all threads; empty where everything was stored already.
    """

    id: str
    urls: dict[str, str]
    stages_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PipelineLimits:
    """How much work is taken in: requests at a time, and their age in seconds."""

    max_queue: int = 16
    deadline_s: float = 60.0


class AnimationService:
    """Holds the parts and what requests share: the queue, and the flights of equal requests."""

    def __init__(
        self,
        client: InferenceClient,
        store: ObjectStore,
        renderer: Renderer,
        executor: Executor,
        decode_limits: DecodeLimits,
        limits: PipelineLimits,
        key_salt: str = "",
    ) -> None:
        self.client = client
        self.store = store
        self.renderer = renderer
        self.warming = False
        self._executor = executor
        self._decode_limits = decode_limits
        self._deadline_s = limits.deadline_s
        self._key_salt = key_salt
        self._admission = Admission(limits.max_queue)
        self._flights: SingleFlight[dict[str, float]] = SingleFlight()

    def animate(self, request: AnimationRequest) -> AnimationResult:
        """Make what is missing and return the addresses of all animations asked for.

        Raises InputError, CapacityError or DependencyError; nothing is stored of an image that is refused.
        """
        deadline = Deadline.after(self._deadline_s)
        self._check_motions(request.motions)
        drawing = drawing_id(request.image, self._key_salt)
        keys = self._keys(drawing, request)
        stages: dict[str, float] = {}
        missing = [motion for motion, key in keys.items() if not self.store.exists(key)]
        if missing:
            flight = hashlib.sha256("\n".join(keys[motion] for motion in missing).encode()).hexdigest()
            stages = self._flights.run(
                flight, lambda: self._render_missing(request, missing, keys, deadline), deadline
            )
        urls = {motion: self.store.url(key) for motion, key in keys.items()}
        return AnimationResult(drawing, urls, stages)

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

    def _check_motions(self, names: Sequence[str]) -> None:
        known = self.renderer.motions
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            came = ", ".join(repr(name[:40]) for name in unknown) or "none"
            raise InputError(
                f"Expected motions among {', '.join(sorted(known))}; came {came}.",
                code="unknown_motion",
                status=422,
            )

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

    def _render_missing(
        self, request: AnimationRequest, missing: Sequence[str], keys: Mapping[str, str], deadline: Deadline
    ) -> dict[str, float]:
        """Annotate, render and store; returns seconds by stage."""
        times = _StageTimes()

        def prepare() -> Any:
            deadline.check()
            with times.stage("decode"):
                drawing = decode_drawing(request.image, self._decode_limits)
            with times.stage("annotate"):
                annotation = annotate(drawing, self.client)
            with times.stage("prepare"):
                if request.options.background == "sheet":
                    return self.renderer.prepare_on_sheet(drawing, annotation)
                return self.renderer.prepare(annotation.character)

        def render(motion: str) -> None:
            deadline.check()
            with times.stage("render"):
                clip = self.renderer.render(prepared, motion, request.options)
            with times.stage("store"):
                self.store.put(keys[motion], clip.data, clip.content_type)

        with self._admission.slot():
            prepared = self._executor.run(prepare)
            self._executor.map(render, missing)
        return times.seconds


class _StageTimes:
    """Sums the seconds spent in each stage. Not exact when threads add at once, which a log can bear."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

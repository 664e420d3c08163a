"""The whole way from an image's bytes to the addresses of its animations."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animation_server.animate import AnimationOptions
from animation_server.annotate import Annotation, annotate
from animation_server.clip import EXTENSIONS
from animation_server.concurrency import Executor
from animation_server.drawing import DecodeLimits, Drawing, decode_drawing
from animation_server.errors import DependencyError, InputError, NoFigureError
from animation_server.inference.contract import Detection, InferenceClient, Pose
from animation_server.sample import sample_character, sample_drawing
from animation_server.service.admission import Deadline
from animation_server.service.character_record import Correction, Origin, StoredCharacter
from animation_server.service.characters import CharacterShelf
from animation_server.service.production import (
    OnProgress,
    Order,
    Production,
    Steps,
    blame_deadline,
    ignore_progress,
)
from animation_server.service.renderer import Renderer
from animation_server.service.request import (
    AnimationRequest,
    AnimationResult,
    CharacterAnimationRequest,
    CharacterResult,
)
from animation_server.storage import ObjectStore
from animation_server.storage.keys import animation_key, drawing_folder, drawing_id
from animation_server.telemetry.observer import Observer, Unwatched
from animation_server.telemetry.stages import stage

log = logging.getLogger(__name__)

PREVIEW = AnimationOptions(size=(160, 160), max_fps=15.0, max_frames=60)
"""How motions are shown to those who choose among them."""


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
        *,
        keep_uploads: bool = False,
    ) -> None:
        self.client = client
        self.store = store
        self.renderer = renderer
        self.characters = CharacterShelf(store)
        self.warming = False
        self._executor = executor
        self._decode_limits = decode_limits
        self._deadline_s = limits.deadline_s
        self._key_salt = key_salt
        self._keep_uploads = keep_uploads
        self._observer = observer or Unwatched()
        self._production = Production(store, renderer, executor, self._observer, limits.max_queue)
        self.admission = self._production.admission

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
        deadline = deadline or self.new_deadline()
        self.check_motions(request.motions)
        drawing = drawing_id(request.image, self._key_salt)
        annotated_by = {"models": self.client.version(), "working_size": self._decode_limits.working_size}
        keys = self._keys(drawing_folder(drawing), request, annotated_by)

        def prepare(steps: Steps) -> Any:
            decoded, annotation = self._annotate(request.image, steps)
            on_sheet = request.options.background == "sheet"
            return self._prepare(annotation, decoded if on_sheet else None)

        delivery = self._production.deliver(Order(keys, request.options, prepare), deadline, progress)
        return AnimationResult(drawing, delivery.urls, delivery.stages_s, keys)

    def create_character(
        self, image: bytes, *, deadline: Deadline | None = None, progress: OnProgress = ignore_progress
    ) -> CharacterResult:
        """Annotate a drawing and keep its character, every time a new one; raises as `animate` does."""
        deadline = deadline or self.new_deadline()

        def make(steps: Steps) -> StoredCharacter:
            decoded, annotation = self._annotate(image, steps)
            origin = Origin(
                drawing_folder(drawing_id(image, self._key_salt)),
                self.client.version(),
                self.renderer.version,
                self._decode_limits.working_size,
            )
            with stage("store"), blame_deadline(deadline):
                sheet = decoded if self._keep_uploads else None
                stored = self.characters.add(annotation, origin, sheet, deadline)
            steps.passed("store", 1.0)
            return stored

        result = CharacterResult(*self._production.work(make, deadline, progress))
        if deadline.cancelled:  # nobody is there to be told its id
            self.characters.take_back(result.character.id)
            deadline.check()
        return result

    def animate_character(
        self,
        request: CharacterAnimationRequest,
        *,
        deadline: Deadline | None = None,
        progress: OnProgress = ignore_progress,
    ) -> AnimationResult:
        """Do what `animate` does for a character that is kept, as it was corrected last.

        Raises InputError with status 404 where there is no such character, 422 for the sheet as background
        where drawings are not kept.
        """
        deadline = deadline or self.new_deadline()
        self.check_motions(request.motions)
        with blame_deadline(deadline):
            stored = self.characters.read(request.character, deadline)
        on_sheet = request.options.background == "sheet"
        if on_sheet and not stored.sheet:
            raise InputError(
                "background: expected a colour or 'transparent', for this server does not keep drawings. "
                "Send the image to /v1/animations to see its figure on the sheet.",
                code="no_sheet",
                status=422,
            )
        keys = self._keys(stored.origin.folder, request, self._decides(stored))

        def prepare(steps: Steps) -> Any:
            with stage("store"), blame_deadline(deadline):
                annotation = self.characters.open(stored, steps.deadline)
                sheet = self.characters.open_sheet(stored, steps.deadline) if on_sheet else None
            return self._prepare(annotation, sheet)

        def guard() -> AbstractContextManager[None]:
            return self.characters.unless_deleted(stored, keys.values())

        delivery = self._production.deliver(Order(keys, request.options, prepare, guard), deadline, progress)
        return AnimationResult(stored.id, delivery.urls, delivery.stages_s, keys)

    def correct_character(
        self, stored: StoredCharacter, correction: Correction, deadline: Deadline
    ) -> StoredCharacter:
        """Keep a corrected revision, see CharacterShelf.correct; drawn in a thread, as all pictures are."""
        with blame_deadline(deadline):
            return self._executor.run(lambda: self.characters.correct(stored, correction, deadline))

    def preview(self, motion: str) -> str:
        """Return the address of a small animation of a motion, which is made when there is none.

        Raises InputError with status 404 where there is no such motion.
        """
        if motion not in self.renderer.motions:
            raise InputError("No such motion. GET /v1/motions lists them.", code="not_found", status=404)
        decides = {
            **asdict(PREVIEW),
            "renderer": self.renderer.version,
            "motion": self.renderer.motions[motion].digest,
        }
        key = animation_key("previews", motion, decides, EXTENSIONS[PREVIEW.format])
        order = Order({motion: key}, PREVIEW, lambda _: self.renderer.prepare(sample_character()))
        return self._production.deliver(order, self.new_deadline()).urls[motion]

    def new_deadline(self) -> Deadline:
        """Set the deadline of a request that comes now."""
        return Deadline.after(self._deadline_s)

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

    def _prepare(self, annotation: Annotation, sheet: Drawing | None) -> Any:
        """Do what all motions share; sheet : the drawing, where the figure is to be animated on it."""
        if sheet is None:
            return self.renderer.prepare(annotation.character)
        return self.renderer.prepare_on_sheet(sheet, annotation)

    def _decides(self, stored: StoredCharacter) -> dict[str, object]:
        """What of a character goes into the keys of its animations.

        Nobody has corrected it and the same code is at work: it is what `animate` makes of the drawing, and
        so are the keys.
        """
        origin = stored.origin
        if stored.revision == 1 and origin.renderer == self.renderer.version:
            return {"models": origin.models, "working_size": origin.working_size}
        return {"figure": stored.figure_digest}

    def _keys(
        self,
        folder: str,
        request: AnimationRequest | CharacterAnimationRequest,
        figure: Mapping[str, object],
    ) -> dict[str, str]:
        """Name an animation of each motion.

        folder : of what is made from the drawing. figure : what decides how the figure was cut out.
        """
        decides = {**asdict(request.options), **figure, "renderer": self.renderer.version}
        extension = EXTENSIONS[request.options.format]
        return {
            name: animation_key(
                folder, name, decides | {"motion": self.renderer.motions[name].digest}, extension
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

"""Makes the animations of one drawing after the other: what each process of a batch does."""

from __future__ import annotations

import time
from dataclasses import replace

from animation_server.annotate import annotate
from animation_server.app import decode_limits, make_inference_client
from animation_server.batch.inputs import BatchInput
from animation_server.batch.journal import Journal, Outcome, failure
from animation_server.batch.plan import BatchPlan, open_output, recipe
from animation_server.clip import EXTENSIONS
from animation_server.concurrency import ThreadExecutor
from animation_server.drawing import decode_drawing
from animation_server.errors import AnimationError, DependencyError
from animation_server.motion.library import load_motion
from animation_server.one_shot import read_image
from animation_server.rendering import prepare_character, render_motion
from animation_server.scene.sheet import prepare_sheet
from animation_server.service.library_renderer import LibraryRenderer, motion_digest

RETRY_AFTER_S = (1.0, 4.0, 10.0)
"""When to try again what failed for want of the models or the store."""


class Maker:
    """Holds the models, the motions and the output. Works in one thread: its process is one of many."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan = plan
        self._executor = ThreadExecutor(1)
        settings = replace(plan.settings, inference_threads=plan.settings.inference_threads or 1)
        self._models = make_inference_client(settings, self._executor)
        self._store = open_output(plan, self._executor)
        self._motions = [load_motion(motion) for motion in plan.motions]
        digests = [motion_digest(motion) for motion in self._motions]
        made_by = recipe(plan, digests, self._models.version(), LibraryRenderer().version)
        self._journal = Journal(self._store, made_by)

    def make(self, item: BatchInput) -> Outcome:
        """Make what is missing of one drawing; try again what may pass."""
        pauses = iter(RETRY_AFTER_S)
        while True:
            try:
                return self._make(item)
            except AnimationError as exc:
                pause_s = next(pauses, None) if isinstance(exc, DependencyError) else None
                if pause_s is None:
                    return failure(item, exc)
                time.sleep(pause_s)

    def close(self) -> None:
        """Let go of threads and connections."""
        self._models.close()
        self._store.close()
        self._executor.close()

    def _make(self, item: BatchInput) -> Outcome:
        image = read_image(item.path)
        digest = self._journal.digest(image)
        if self._journal.is_done(item, digest):
            return Outcome(item, "skipped")
        options = self._plan.options
        drawing = decode_drawing(image, decode_limits(self._plan.settings))
        annotation = annotate(drawing, self._models)
        prepared = (
            prepare_sheet(drawing, [annotation])
            if options.background == "sheet"
            else prepare_character(annotation.character)
        )
        files = {}
        for motion in self._motions:
            clip = render_motion(prepared, motion, options, picture=self._plan.picture)
            files[motion.name] = f"{motion.name}.{EXTENSIONS[options.format]}"
            self._store.put(f"{item.name}/{files[motion.name]}", clip.data, clip.content_type)
        self._journal.write(item, digest, files)
        return Outcome(item, "done")

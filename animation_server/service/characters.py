"""Characters that are kept: made once from a drawing, corrected, animated, and deleted with all that came of
them.

A character lies in a folder of the object store. Its pictures are named by their content; what it is made of
is a small JSON file, `revisions/<number>.json`, and the highest number counts. No file is ever changed: a
correction creates the next number, which only one of two at the same time can.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server.annotate import USED_KEYPOINTS, Annotation
from animation_server.annotation_folder import draw_overlay
from animation_server.character import Character, humanoid_skeleton
from animation_server.drawing import Drawing
from animation_server.errors import InputError, StorageError
from animation_server.service.admission import Deadline
from animation_server.service.character_record import (
    Correction,
    Origin,
    StoredCharacter,
    bbox_full,
    moved_keypoints,
    parse_record,
    record_of,
    revision_key,
)
from animation_server.storage import ObjectStore
from animation_server.storage.keys import character_folder, drawing_folder, is_id

DIGEST_DIGITS = 16
CLEAN_UP_S = 5.0
"""Longest wait while something is taken back: the request that it was made for may have no time left."""


class CharacterShelf:
    """Keeps characters in an object store. Every method raises StorageError where that fails."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def add(
        self, annotation: Annotation, origin: Origin, sheet: Drawing | None, deadline: Deadline
    ) -> StoredCharacter:
        """Keep a new character under an id that nobody guesses; with its sheet, where that is to be kept."""
        name = secrets.token_hex(16)
        try:
            return self._add(name, annotation, origin, sheet, deadline)
        except Exception:
            with suppress(StorageError):
                self.take_back(name)
            raise

    def take_back(self, name: str) -> None:
        """Delete a character whose id was told to nobody; what else was made of its drawing stays."""
        deadline = Deadline.after(CLEAN_UP_S)
        keys = self._store.list_keys(character_folder(name), deadline.remaining_s())
        self._store.delete(keys, deadline.remaining_s())

    def read(self, character: str, deadline: Deadline) -> StoredCharacter:
        """Read the latest revision; raises InputError with status 404 where there is no such character."""
        if is_id(character):
            folder = f"{character_folder(character)}/revisions"
            revisions = self._store.list_keys(folder, deadline.remaining_s())
            record = self._store.get(revisions[-1], deadline.remaining_s()) if revisions else None
            if record is not None:
                return parse_record(record, character)
        raise _no_such_character()

    def correct(self, stored: StoredCharacter, correction: Correction, deadline: Deadline) -> StoredCharacter:
        """Keep a corrected revision.

        Raises InputError with status 422 where the correction does not fit the character, 409 where somebody
        else has corrected the revision in the meantime, 404 where it was deleted.
        """
        with self.unless_deleted(stored):
            corrected = self._draw(stored, correction, deadline)
            if not self._create(corrected, deadline):
                raise InputError(
                    "Somebody else corrected this character at the same time. Read it again.",
                    code="conflict",
                    status=409,
                )
        return corrected

    @contextmanager
    def unless_deleted(self, stored: StoredCharacter, made: Iterable[str] = ()) -> Iterator[None]:
        """Let nothing stay of what the block stores where the character is deleted meanwhile.

        made : keys outside of the character's own folder. Raises InputError with status 404 then. Whoever
        stores looks afterwards whether the record is there, whoever deletes looks after the record is gone
        for what was stored: one of them sees what the other did.
        """
        try:
            yield
        except Exception:
            with suppress(StorageError):
                self._check_not_deleted(stored, made)
            raise
        self._check_not_deleted(stored, made)

    def open(self, stored: StoredCharacter, deadline: Deadline) -> Annotation:
        """Read the pictures, and put together what the models, or a person, made of the drawing."""
        texture = self._picture(stored.texture, deadline)[..., ::-1]
        mask = self._picture(stored.mask, deadline)[..., 0] > 127
        points = {name: (x, y) for name, (x, y, _) in stored.keypoints.items()}
        return Annotation(
            Character(np.ascontiguousarray(texture), mask, humanoid_skeleton(points)),
            stored.width,
            stored.height,
            stored.bbox_xyxy,
            stored.score,
            stored.keypoints_full,
            stored.texture_scale,
            stored.texture_offset,
        )

    def open_sheet(self, stored: StoredCharacter, deadline: Deadline) -> Drawing:
        """Read the drawing that the character stands in; only where it is kept."""
        rgb = np.ascontiguousarray(self._picture(stored.sheet, deadline)[..., ::-1])
        return Drawing(rgb, stored.width, stored.height)

    def delete(self, name: str, deadline: Deadline) -> None:
        """Delete a character and every animation made from its drawing; no error where nothing is there.

        name : id of a character, or of a drawing that was animated without keeping a character.
        """
        if not is_id(name):
            return
        folders = {drawing_folder(name)}
        found = True
        while found:  # and once more: what was stored before the records were gone
            keys = self._store.list_keys(character_folder(name), deadline.remaining_s())
            found = bool(keys)
            records = [key for key in keys if key.endswith(".json")]
            if records and (record := self._store.get(records[-1], deadline.remaining_s())) is not None:
                folders.add(parse_record(record, name).origin.folder)
            for folder in folders:
                made = self._store.list_keys(folder, deadline.remaining_s())
                self._store.delete(made, deadline.remaining_s())
            # The records last: what fails half way can be begun again, for they lead to the rest.
            self._store.delete([key for key in keys if key not in records], deadline.remaining_s())
            self._store.delete(records, deadline.remaining_s())

    def _add(
        self, name: str, annotation: Annotation, origin: Origin, sheet: Drawing | None, deadline: Deadline
    ) -> StoredCharacter:
        character = annotation.character
        folder = character_folder(name)
        height, width = character.mask.shape
        joints = dict(zip(character.skeleton.names, character.skeleton.joints_px.tolist(), strict=True))
        joints["nose"] = joints["neck"]
        stored = StoredCharacter(
            id=name,
            revision=1,
            origin=origin,
            width=annotation.width,
            height=annotation.height,
            bbox_xyxy=annotation.bbox_xyxy,
            score=annotation.score,
            keypoints={key: (*joints[key], annotation.keypoints[key][2]) for key in USED_KEYPOINTS},
            texture_size=(width, height),
            texture_scale=annotation.texture_scale,
            texture_offset=annotation.texture_offset,
            texture=self._put(folder, "texture", character.texture[..., ::-1], deadline),
            mask=self._put(folder, "mask", _grey(character.mask), deadline),
            overlay=self._put(folder, "overlay", draw_overlay(character), deadline),
            sheet=self._put(folder, "sheet", sheet.rgb[..., ::-1], deadline) if sheet else "",
        )
        self._create(stored, deadline)
        return stored

    def _draw(self, stored: StoredCharacter, correction: Correction, deadline: Deadline) -> StoredCharacter:
        """Store a corrected revision's pictures."""
        corrected = replace(
            stored, revision=stored.revision + 1, keypoints=moved_keypoints(stored, correction)
        )
        folder = character_folder(stored.id)
        if correction.mask is not None:
            width, height = stored.texture_size
            if correction.mask.shape != (height, width):
                raise ValueError(f"mask: expected shape {(height, width)}, came {correction.mask.shape}")
            key = self._put(folder, "mask", _grey(correction.mask), deadline)
            corrected = replace(corrected, mask=key, bbox_xyxy=bbox_full(correction.mask, stored))
        overlay = draw_overlay(self.open(corrected, deadline).character)
        return replace(corrected, overlay=self._put(folder, "overlay", overlay, deadline))

    def _check_not_deleted(self, stored: StoredCharacter, made: Iterable[str]) -> None:
        """Delete what came too late, and raise InputError, where a revision is not there any more."""
        deadline = Deadline.after(CLEAN_UP_S)
        if self._store.exists([revision_key(stored)], deadline.remaining_s()) == [True]:
            return
        self._store.delete(made, deadline.remaining_s())
        self.delete(stored.id, deadline)
        raise _no_such_character()

    def _create(self, stored: StoredCharacter, deadline: Deadline) -> bool:
        record = record_of(stored)
        return self._store.create(revision_key(stored), record, "application/json", deadline.remaining_s())

    def _put(self, folder: str, name: str, picture: cv2.typing.MatLike, deadline: Deadline) -> str:
        """Store a picture (OpenCV's channel order) under a key that names its content."""
        deadline.check()
        data = cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes()
        key = f"{folder}/{name}-{hashlib.sha256(data).hexdigest()[:DIGEST_DIGITS]}.png"
        self._store.put(key, data, "image/png", deadline.remaining_s())
        return key

    def _picture(self, key: str, deadline: Deadline) -> NDArray[np.uint8]:
        """Read a picture: (H, W, 3) uint8 BGR."""
        deadline.check()
        data = self._store.get(key, deadline.remaining_s())
        picture = None if data is None else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_BGR)
        if picture is None:
            raise StorageError(f"expected a character's picture, came {data and len(data)} bytes")
        return picture.astype(np.uint8)


def _grey(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return mask.astype(np.uint8) * 255


def _no_such_character() -> InputError:
    return InputError("No such character. It may have been deleted.", code="not_found", status=404)

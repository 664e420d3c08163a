"""What is known of a character that is kept, as it is written down and as a person corrects it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from animation_server.errors import InputError, StorageError
from animation_server.storage.keys import character_folder

Point = tuple[float, float]


@dataclass(frozen=True)
class Origin:
    """What decided how the character was cut out: the drawing, and the versions of whoever looked at it.

    folder : of what is made from the drawing. Not the drawing's id: who reads a record, as anyone can where
        the bucket is public, must not get the right to delete.
    """

    folder: str
    models: str
    renderer: str
    working_size: int


@dataclass(frozen=True)
class StoredCharacter:
    """One revision of a character, without its pictures.

    id : names the character; who knows it may change and delete it.
    revision : 1 as it was annotated, one more with every correction.
    width, height : of the drawing it stands in, in pixels at full resolution ("full" below).
    bbox_xyxy : around the figure, full pixels. score : the detector's confidence, 0 to 1.
    keypoints : name -> x, y in texture pixels and score, 0 to 1; 1 where a person corrected it.
    texture_size : width, height. texture_scale, texture_offset : full = texture * scale + offset.
    texture, mask, overlay, sheet : keys of the pictures; sheet, the drawing, is empty unless it is kept.
    """

    id: str
    revision: int
    origin: Origin
    width: int
    height: int
    bbox_xyxy: tuple[float, float, float, float]
    score: float
    keypoints: dict[str, tuple[float, float, float]]
    texture_size: tuple[int, int]
    texture_scale: float
    texture_offset: Point
    texture: str
    mask: str
    overlay: str
    sheet: str = ""

    @property
    def keypoints_full(self) -> dict[str, tuple[float, float, float]]:
        """The keypoints in full pixels, and their scores."""
        scale, (left, top) = self.texture_scale, self.texture_offset
        return {
            name: (x * scale + left, y * scale + top, score) for name, (x, y, score) in self.keypoints.items()
        }

    @property
    def figure_digest(self) -> str:
        """Digest of everything that decides how the figure moves and looks."""
        decides = (self.texture, self.mask, sorted(self.keypoints.items()))
        return hashlib.sha256(repr(decides).encode()).hexdigest()


_RECORD = TypeAdapter(StoredCharacter)


@dataclass(frozen=True)
class Correction:
    """What a person sees better than the models.

    keypoints : name -> x, y in full pixels, those that are to move.
    mask : (H, W) bool of the texture's size, True somewhere; None to leave it.
    """

    keypoints: Mapping[str, Point]
    mask: NDArray[np.bool_] | None = None


def record_of(stored: StoredCharacter) -> bytes:
    """Write a revision down, but for its id: that is a right, as Origin says."""
    return _RECORD.dump_json(stored, exclude={"id"})


def parse_record(record: bytes, character: str) -> StoredCharacter:
    """Read what `record_of` made; StorageError where it is something else."""
    try:
        return _RECORD.validate_python({**json.loads(record), "id": character})
    except (ValidationError, ValueError, TypeError) as exc:
        raise StorageError("a character's record is not as it was written") from exc


def revision_key(stored: StoredCharacter) -> str:
    """Name the record of a revision."""
    # Padded, so that keys in order are revisions in order.
    return f"{character_folder(stored.id)}/revisions/{stored.revision:08d}.json"


def moved_keypoints(stored: StoredCharacter, correction: Correction) -> dict[str, tuple[float, float, float]]:
    """The keypoints with those that a person moved; InputError where one is unknown or off the picture."""
    keypoints = dict(stored.keypoints)
    for name, (x, y) in correction.keypoints.items():
        if name not in keypoints:
            known = ", ".join(keypoints)
            raise _unfit(f"keypoints: expected names among {known}; came {name[:40]!r}.")
        if not (0 <= x <= stored.width and 0 <= y <= stored.height):
            raise _unfit(
                f"keypoints.{name}: expected a place within {stored.width} x {stored.height} pixels, "
                f"came {x:g}, {y:g}."
            )
        left, top = stored.texture_offset
        keypoints[name] = ((x - left) / stored.texture_scale, (y - top) / stored.texture_scale, 1.0)
    return keypoints


def bbox_full(mask: NDArray[np.bool_], stored: StoredCharacter) -> tuple[float, float, float, float]:
    """The box around a mask, in full pixels."""
    columns, rows = np.nonzero(mask.any(axis=0))[0], np.nonzero(mask.any(axis=1))[0]
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    # edges, not centres: half a pixel less on either side
    edges = (box - 0.5) * stored.texture_scale + np.tile(stored.texture_offset, 2) + 0.5
    left, top, right, bottom = np.clip(edges, 0, [stored.width, stored.height] * 2).tolist()
    return left, top, right, bottom


def _unfit(message: str) -> InputError:
    return InputError(message, code="invalid_keypoint", status=422)

"""Motions by name, by configuration or by BVH file; the bundled ones lie in `library/`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from animation_server.errors import InputError
from animation_server.motion.config import (
    MotionConfig,
    RetargetConfig,
    load_motion_config,
    load_retarget_config,
)
from animation_server.motion.mapping import derive_motion_config, derive_retarget_config, rooted_at_hips
from animation_server.motion.projection import close_path
from bvh_tools.bvh import read_bvh
from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError
from bvh_tools.resample import resample
from bvh_tools.trim import trim

LIBRARY = Path(__file__).parent / "library"


@dataclass(frozen=True)
class Motion:
    """A clip that is ready to be retargeted.

    name : what to call it: a bundled motion's name, or its file's without extension.
    clip : the frames that the configuration asks for, and no others.
    """

    name: str
    clip: Clip
    config: MotionConfig
    retarget: RetargetConfig

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.clip.n_frames

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.clip.duration

    def resampled(self, frames: int) -> Motion:
        """The same motion over the same time in another number of frames, at least 1."""
        if frames < 1:
            raise InputError(f"frames: expected at least 1, got {frames}")
        return replace(self, clip=resample(self.clip, frames, loops=self.config.loops))


def list_motions() -> tuple[Motion, ...]:
    """The bundled motions, sorted by name."""
    return tuple(_bundled(name) for name in motion_names())


def motion_names() -> tuple[str, ...]:
    """Names of the bundled motions, sorted."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.bvh")))


def load_motion(source: str | Path, retarget: Path | None = None) -> Motion:
    """Load a motion.

    source : text is the name of a bundled motion and nothing else, so clients' text is safe here. A Path is
        a file: a motion configuration (.yaml, .yml) or a BVH file.
    retarget : a retarget configuration. Without one, the motion configuration's own is used, or else one
        is made from the skeleton's joint names and shape.
    Raises InputError for an unknown name (code "unknown_motion", status 422), a file that is unreadable or
    malformed, and a skeleton that needs a retarget configuration of its own.
    """
    motion = _load_file(source, retarget) if isinstance(source, Path) else _bundled(source)
    return motion if retarget is None else replace(motion, retarget=load_retarget_config(retarget))


@lru_cache(maxsize=64)
def _bundled(name: str) -> Motion:
    if name not in motion_names():
        raise InputError(
            f"motion: expected one of {', '.join(motion_names())}, got {name!r}",
            code="unknown_motion",
            status=422,
        )
    return _load_file(LIBRARY / f"{name}.yaml", None)


def _load_file(path: Path, retarget: Path | None) -> Motion:
    """Load a file; with `retarget` given, spare making a configuration that is not used."""
    kind = path.suffix.lower()
    if kind == ".bvh":
        clip = rooted_at_hips(_read(path))
        config = derive_motion_config(clip, path)
    elif kind in {".yaml", ".yml"}:
        config = load_motion_config(path)
        clip = _cut(_read(config.filepath), config, path)
    else:
        raise InputError(f"{path}: expected a motion configuration (.yaml, .yml) or a BVH file (.bvh)")
    retarget = retarget or config.retarget
    return Motion(
        path.stem,
        clip,
        config,
        load_retarget_config(retarget) if retarget else derive_retarget_config(clip),
    )


def _read(path: Path) -> Clip:
    try:
        return read_bvh(path)
    except BvhError as exc:
        raise InputError(str(exc), code="bad_bvh", status=422) from exc
    except OSError as exc:
        raise InputError(f"{path}: cannot read it: {exc.strerror}", code="unreadable_file") from exc


def _cut(clip: Clip, config: MotionConfig, path: Path) -> Clip:
    """The frames that the configuration asks for; a motion that loops stays where it is."""
    end = clip.n_frames if config.end_frame_idx is None else config.end_frame_idx
    if not config.start_frame_idx < end <= clip.n_frames:
        raise InputError(
            f"{path}: start_frame_idx, end_frame_idx: expected frames within the {clip.n_frames} of "
            f"{config.filepath.name}, got {config.start_frame_idx} to {end}",
            code="bad_config",
        )
    clip = trim(clip, config.start_frame_idx, end)
    if config.loops:
        # before any resampling, which blends the last frame into the first
        translations = clip.translations.copy()
        translations[:, 0] = close_path(translations[:, 0])
        clip = replace(clip, translations=translations)
    return clip

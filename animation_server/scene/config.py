"""AnimatedDrawings' scene files ("mvc" configurations): who moves how, seen from where, written whither."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AliasGenerator, ConfigDict, Field, Strict, TypeAdapter

from animation_server.errors import InputError
from animation_server.files.config_file import find_file, read_config

_UPPER = ConfigDict(extra="forbid", alias_generator=AliasGenerator(str.upper))
_Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Unit = Annotated[_Number, Field(ge=0.0, le=1.0)]
_Flag = Annotated[bool, Strict()]
_Pixels = Annotated[int, Strict(), Field(ge=1, le=4096)]
_Vector = tuple[_Number, _Number, _Number]


@dataclass(frozen=True)
class SceneCharacter:
    """One figure: texture and mask lie beside `character_cfg`, whatever that is called."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    character_cfg: Path
    motion_cfg: Path
    retarget_cfg: Path


@dataclass(frozen=True)
class SceneSettings:
    """What stands in the scene. Floor and BVH skeletons are the interactive window's and are not drawn."""

    __pydantic_config__: ClassVar[ConfigDict] = _UPPER

    animated_characters: Annotated[tuple[SceneCharacter, ...], Field(min_length=1)]
    add_floor: _Flag = False
    add_ad_retarget_bvh: _Flag = False


@dataclass(frozen=True)
class ViewSettings:
    """How it is looked at.

    clear_color : red, green, blue, alpha of the background, 0 to 1.
    background_image : stretched over the whole picture.
    window_dimensions : width, height in pixels.
    camera_pos, camera_fwd : AnimatedDrawings' camera, world frame; the forward vector points out of its back.
        With neither, the figures are framed for the whole clip.
    use_mesa : accepted and of no effect, for nothing here needs a graphics library.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _UPPER

    clear_color: tuple[_Unit, _Unit, _Unit, _Unit] = (1.0, 1.0, 1.0, 0.0)
    background_image: Path | None = None
    window_dimensions: tuple[_Pixels, _Pixels] = (500, 500)
    draw_ad_rig: _Flag = False
    draw_ad_txtr: _Flag = True
    draw_ad_color: _Flag = False
    draw_ad_mesh_lines: _Flag = False
    use_mesa: _Flag = False
    camera_pos: _Vector | None = None
    camera_fwd: _Vector | None = None


@dataclass(frozen=True)
class ControllerSettings:
    """What becomes of it. `keyboard_timestep` is the interactive window's; the codec is always H.264."""

    __pydantic_config__: ClassVar[ConfigDict] = _UPPER

    mode: Literal["interactive", "video_render"] = "interactive"
    keyboard_timestep: _Number = 0.0333
    output_video_path: Path | None = None
    output_video_codec: str | None = None


@dataclass(frozen=True)
class SceneConfig:
    """A whole scene file."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    scene: SceneSettings
    view: ViewSettings = field(default_factory=ViewSettings)
    controller: ControllerSettings = field(default_factory=ControllerSettings)

    @property
    def output(self) -> Path:
        """The file to write.

        Raises InputError for a scene that asks for AnimatedDrawings' interactive window, or names no file.
        """
        if self.controller.mode == "interactive":
            raise InputError(
                "controller.MODE: expected video_render, came interactive. A window to play in is the "
                "studio's business; this command renders to a file: name one with -o, or set "
                "MODE: video_render",
                code="interactive",
            )
        if self.controller.output_video_path is None:
            raise InputError("controller.OUTPUT_VIDEO_PATH: expected a file to write; or name one with -o")
        return self.controller.output_video_path


_SCENE = TypeAdapter(SceneConfig)


def load_scene_config(path: Path) -> SceneConfig:
    """Read a scene file; the files that it names are looked for as `find_file` does.

    Raises InputError when it is unreadable, a key is unknown, missing or of a wrong type, or a file that it
    names is not there.
    """
    config = read_config(_SCENE, path)
    characters = tuple(
        SceneCharacter(
            *(
                find_file(getattr(character, key), path, f"scene.ANIMATED_CHARACTERS[{index}].{key}")
                for key in ("character_cfg", "motion_cfg", "retarget_cfg")
            )
        )
        for index, character in enumerate(config.scene.animated_characters)
    )
    view = config.view
    if view.background_image is not None:
        found = find_file(view.background_image, path, "view.BACKGROUND_IMAGE")
        view = replace(view, background_image=found)
    return replace(config, scene=replace(config.scene, animated_characters=characters), view=view)

"""A drawing as the service takes it in: bytes from anywhere to an upright RGB image at working resolution."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif.as_plugin import HeifImageFile

from animation_server.errors import InputError
from animation_server.jpeg_scans import colours_of_scans

MIN_SIDE = 16
"""Below this a picture holds no figure that anyone could see."""

DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow's openers and decoders raise on bytes that are not what they claim to be: it promises nothing,
so everything but a want of memory.
"""

MAX_SCANS = 50
"""Encoders write about ten into a JPEG; each costs a pass over the picture."""

_EXIF_ORIENTATION = 0x0112
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


@dataclass(frozen=True)
class Drawing:
    """A decoded, upright photograph.

    rgb : (H, W, 3) uint8, reduced to the working resolution.
    width, height : size in pixels of the upright input at full resolution.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Full-resolution pixels per working pixel: full = working * scale."""
        return self.width / int(self.rgb.shape[1])


@dataclass(frozen=True)
class DecodeLimits:
    """How much one image may cost.

    max_bytes : size of the file.
    max_pixels : width times height at full resolution, checked before decoding.
    max_full_pixels : the same for images that cannot be decoded at a reduced size: PNG, WebP, HEIC, and JPEG
        of several scans, such as a progressive one. Each pixel of them costs some 8 bytes of memory, of WebP
        16: half of it there.
    working_size : longest side in pixels of what comes out.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 100_000_000
    max_full_pixels: int = 50_000_000
    working_size: int = 1280


DEFAULT_LIMITS = DecodeLimits()


def decode_drawing(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Drawing:
    """Decode a JPEG, PNG, WebP or HEIC file into an upright RGB drawing; metadata is dropped.

    Transparent parts become white. Raises InputError with status 400 (no bytes), 413 (over a limit), 415 (not
    one of the four formats) or 422 (damaged, or too small to hold a figure).
    """
    if not data:
        raise InputError("Expected an image, came no bytes at all.", code="empty_image")
    if len(data) > limits.max_bytes:
        raise InputError(
            f"Expected an image of at most {limits.max_bytes} bytes, came {len(data)}. Send a smaller one.",
            code="too_large",
            status=413,
        )
    name, opener = _sniff(data)
    try:
        image = opener(BytesIO(data))
    except Image.DecompressionBombError as exc:  # Pillow's own limit, which some plugins check
        raise _too_many_pixels("more than 178 million", limits.max_full_pixels) from exc
    except DAMAGE as exc:
        raise _damaged(name) from exc
    _check_cost(image, data, limits)
    width, height = image.size
    try:
        rgb, orientation = _decode_rgb(image, limits.working_size)
    except DAMAGE as exc:
        raise _damaged(name) from exc
    if orientation >= 5:  # these turn the image by a right angle
        width, height = height, width
    return Drawing(_turn_upright(rgb, orientation), width, height)


def _sniff(data: bytes) -> tuple[str, Callable[[BytesIO], Image.Image]]:
    """Return the format's name and its opener, told by the first bytes and by nothing the client said.

    The plugins' classes are used directly: Image.open would try further formats and carries its own, fixed
    limit on pixels.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG", JpegImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG", PngImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP", WebPImageFile
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return "HEIC", HeifImageFile
    raise InputError(
        "Expected a JPEG, PNG, WebP or HEIC image, came something else.",
        code="unsupported_media_type",
        status=415,
    )


def _damaged(name: str) -> InputError:
    return InputError(
        f"Expected a whole {name} image, came a damaged or truncated one. Send it again.",
        code="damaged_image",
        status=422,
    )


def _too_many_pixels(came: str, limit: int) -> InputError:
    return InputError(
        f"Expected an image of at most {limit} pixels, came {came}. Send a smaller one.",
        code="too_many_pixels",
        status=413,
    )


def _check_cost(image: Image.Image, data: bytes, limits: DecodeLimits) -> None:
    """Raise InputError for an image that would cost too much to decode, or holds too little."""
    width, height = image.size
    scans = colours_of_scans(data, MAX_SCANS) if isinstance(image, JpegImageFile) else []
    # only a JPEG that has all colours in one scan can be decoded row by row
    is_whole = "progressive" in image.info or scans != [len(image.getbands())]
    limit = limits.max_pixels
    if is_whole:
        # WebP's decoder holds the picture twice as often as the others.
        limit = min(limit, limits.max_full_pixels // (2 if isinstance(image, WebPImageFile) else 1))
    if width * height > limit:
        raise _too_many_pixels(f"{width} x {height}", limit)
    if len(scans) > MAX_SCANS:
        raise InputError(
            f"Expected a JPEG of at most {MAX_SCANS} scans, came one with more. Save it anew and send that.",
            code="too_many_scans",
            status=413,
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"Expected an image of at least {MIN_SIDE} x {MIN_SIDE} pixels, came {width} x {height}.",
            code="image_too_small",
            status=422,
        )


def _decode_rgb(image: Image.Image, working_size: int) -> tuple[NDArray[np.uint8], int]:
    """Decode, compose on white and reduce.

    Returns (H, W, 3) uint8 RGB as stored, and the EXIF orientation, 1 to 8, still to be undone.
    """
    factor = min(1.0, working_size / max(image.size))
    width, height = (max(1, round(side * factor)) for side in image.size)
    # JPEG decodes at 1/2, 1/4 or 1/8 for a fraction of the cost; the result is never smaller than asked for.
    image.draft("RGB", (width, height))
    image.load()
    orientation = _orientation(image)
    rgb = np.asarray(_to_rgb(_reduce(image, working_size)))
    if rgb.shape[:2] != (height, width):
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if image.mode == "RGB" and "icc_profile" in image.info:
        rgb = _to_srgb(rgb, image.info["icc_profile"])
    return rgb, orientation


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; what cannot be read, or makes no sense, counts as upright."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except DAMAGE:
        return 1
    return orientation if orientation in range(1, 9) else 1


def _reduce(image: Image.Image, working_size: int) -> Image.Image:
    """Average blocks of pixels, down to twice the working size at least, before each further copy is made."""
    factor = max(image.size) // (2 * working_size)
    if factor < 2:
        return image
    if image.mode.startswith("I"):
        image = _grey_of_16_bits(image)
    elif image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(factor)


def _grey_of_16_bits(image: Image.Image) -> Image.Image:
    """Keep the upper 8 of 16 bits; Pillow's own conversion would clip all of them to white."""
    deep = np.asarray(image)
    if deep.dtype != np.uint16:
        deep = np.clip(deep, 0, 0xFFFF)
    return Image.fromarray((deep >> 8).astype(np.uint8))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; transparent parts become white."""
    if image.mode.startswith("I"):
        image = _grey_of_16_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    return image.convert("RGB")


def _to_srgb(rgb: NDArray[np.uint8], icc_profile: bytes) -> NDArray[np.uint8]:
    """Convert from the camera's colour space (phones use Display P3); unreadable profiles count as sRGB."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return rgb
        converted = ImageCms.profileToProfile(
            Image.fromarray(rgb), profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (OSError, ImageCms.PyCMSError):
        return rgb
    return rgb if converted is None else np.asarray(converted)


def _turn_upright(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation (1 to 8) of an (H, W, 3) image; contiguous uint8."""
    if orientation >= 5:
        rgb = rgb.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    return np.ascontiguousarray(rgb)

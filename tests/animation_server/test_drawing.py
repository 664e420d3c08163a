"""Decoding: four formats, every orientation, every colour mode, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from animation_server.drawing import DecodeLimits, decode_drawing
from animation_server.errors import InputError
from animation_server.jpeg_scans import colours_of_scans
from tests.drawings import png_header, png_of_rows
from tests.places import ROOT

NO_PALETTE = ROOT / "fuzz" / "failures" / "drawing" / "palette-png-without-palette"


def picture(width: int = 60, height: int = 40) -> Image.Image:
    """An image without symmetry, in blocks that survive lossy compression."""
    blocks = np.random.default_rng(5).integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    return Image.fromarray(blocks.repeat(20, axis=0).repeat(20, axis=1))


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    stream = BytesIO()
    if format_name == "HEIC":
        pillow_heif.from_pillow(image).save(stream, quality=90, **options)
    else:
        image.save(stream, format_name, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("format_name", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 8),
        ("HEIC", {}, 20),
    ],
)
def test_decodes_each_format(format_name: str, options: dict[str, Any], tolerance: int) -> None:
    """The pixels come back: exactly from lossless formats, closely from lossy ones."""
    image = picture(120, 80)
    drawing = decode_drawing(encoded(image, format_name, **options))
    assert (drawing.width, drawing.height, drawing.scale) == (120, 80, 1.0)
    assert drawing.rgb.dtype == np.uint8
    difference = np.abs(drawing.rgb.astype(int) - np.asarray(image).astype(int))
    assert np.median(difference) <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "JPEG"])
def test_applies_orientation(orientation: int, format_name: str) -> None:
    """The drawing stands upright, as Pillow's own exif_transpose would put it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format_name == "WEBP" else {}
    data = encoded(picture(), format_name, exif=exif.tobytes(), **options)
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")
    drawing = decode_drawing(data)
    assert (drawing.width, drawing.height) == upright.size
    np.testing.assert_array_equal(drawing.rgb, np.asarray(upright))


def test_ignores_a_senseless_orientation() -> None:
    """An orientation that EXIF does not know counts as upright."""
    exif = Image.Exif()
    exif[0x0112] = 77
    assert decode_drawing(encoded(picture(), "PNG", exif=exif.tobytes())).rgb.shape == (40, 60, 3)


@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "JPEG"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f"])
def test_unreadable_exif_leaves_a_sound_picture_as_it_lies(format_name: str, exif: bytes) -> None:
    """Metadata damaged by some editor are no reason to refuse the drawing."""
    assert decode_drawing(encoded(picture(), format_name, exif=exif)).rgb.shape == (40, 60, 3)


def test_heic_orientation_is_not_applied_twice() -> None:
    """The HEIC decoder turns the image itself."""
    exif = Image.Exif()
    exif[0x0112] = 6
    drawing = decode_drawing(encoded(picture(), "HEIC", exif=exif.tobytes()))
    upright = np.rot90(np.asarray(picture()), -1)
    assert (drawing.width, drawing.height) == (40, 60)
    assert np.median(np.abs(drawing.rgb.astype(int) - upright.astype(int))) < 20


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_converts_every_png_mode(mode: str) -> None:
    """Whatever the PNG's colour mode, what comes out is the same picture in RGB."""
    grey = picture().convert("L")
    if mode == "I;16":
        data = encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG")
        expected = np.asarray(grey.convert("RGB"))
    else:
        data = encoded(picture().convert(mode), "PNG")
        expected = np.asarray(picture().convert(mode).convert("RGB"))
    np.testing.assert_array_equal(decode_drawing(data).rgb, expected)


def test_converts_cmyk_jpeg() -> None:
    """A CMYK JPEG, as scanners' software writes them, keeps its colours."""
    drawing = decode_drawing(encoded(picture(120, 80).convert("CMYK"), "JPEG", quality=95))
    difference = np.abs(drawing.rgb.astype(int) - np.asarray(picture(120, 80)).astype(int))
    assert np.median(difference) < 10


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_composes_transparency_on_white(mode: str) -> None:
    """Where the image is transparent the paper is white, whatever colour hides there."""
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 20, 40))
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    rgb = decode_drawing(encoded(image, "PNG")).rgb
    assert (rgb[:, :20] == 0).all()
    assert (rgb[:, 20:] == 255).all()


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_reduces_to_working_size(format_name: str) -> None:
    """A large photograph comes out at the working size, looking as the whole one does when reduced."""
    image = picture(240, 160).resize((12, 8), Image.Resampling.NEAREST).resize((3000, 2000))
    drawing = decode_drawing(encoded(image, format_name), DecodeLimits(working_size=300))
    assert drawing.rgb.shape == (200, 300, 3)
    assert (drawing.width, drawing.height, drawing.scale) == (3000, 2000, 10.0)
    reduced = np.asarray(image.resize((300, 200), Image.Resampling.BOX)).astype(int)
    assert np.abs(drawing.rgb.astype(int) - reduced).mean() < 4


def test_never_enlarges() -> None:
    """A small image stays as it is."""
    assert decode_drawing(encoded(picture(), "PNG")).rgb.shape == (40, 60, 3)


def test_reduces_a_thin_strip_to_at_least_one_pixel() -> None:
    """Extreme proportions do not round a side down to nothing."""
    strip = Image.new("RGB", (20_000, 16), "white")
    assert decode_drawing(encoded(strip, "PNG"), DecodeLimits(working_size=100)).rgb.shape == (1, 100, 3)


def test_converts_from_the_cameras_colour_space() -> None:
    """A colour profile that is not sRGB changes the colours; a broken one is ignored."""
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    broken = decode_drawing(encoded(picture(), "PNG", icc_profile=b"not a profile")).rgb
    other = decode_drawing(encoded(picture(), "PNG", icc_profile=lab_like)).rgb
    np.testing.assert_array_equal(broken, np.asarray(picture()))
    assert other.shape == broken.shape


def test_drops_metadata() -> None:
    """Nothing of the EXIF (places, dates, devices) is left: a drawing is pixels and a size."""
    assert set(decode_drawing(encoded(picture(), "PNG")).__dict__) == {"rgb", "width", "height"}


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "empty_image"),
        (b"This is a text file.\n" * 10, 415, "unsupported_media_type"),
        (b"GIF89a" + bytes(50), 415, "unsupported_media_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media_type"),
        (bytes(200), 415, "unsupported_media_type"),
        (png_header(30_000, 30_000), 413, "too_many_pixels"),
        (encoded(Image.new("RGB", (9, 300)), "PNG"), 422, "image_too_small"),
        (b"\x89PNG\r\n\x1a\n" + b"and then text", 422, "damaged_image"),
        (NO_PALETTE.read_bytes(), 422, "damaged_image"),
        (b"\xff\xd8\xff\xe0", 422, "damaged_image"),
        (b"RIFF\x20\x00\x00\x00WEBPVP8 nonsense", 422, "damaged_image"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", 422, "damaged_image"),
    ],
)
def test_refuses(data: bytes, status: int, code: str) -> None:
    """What is no usable image gets the fitting status and a message that says what was expected."""
    with pytest.raises(InputError, match="Expected") as caught:
        decode_drawing(data)
    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.parametrize(
    ("format_name", "options", "most"),
    [
        ("JPEG", {}, 20_000),
        ("JPEG", {"progressive": True}, 10_000),
        ("PNG", {}, 10_000),
        ("HEIC", {}, 10_000),
        ("WEBP", {}, 5_000),
    ],
)
def test_what_must_be_decoded_whole_has_a_limit_of_its_own(
    format_name: str, options: dict[str, Any], most: int
) -> None:
    """A baseline JPEG is decoded at a fraction of its size; the others cost memory for every pixel."""
    limits = DecodeLimits(max_pixels=20_000, max_full_pixels=10_000)
    decode_drawing(encoded(Image.new("RGB", (100, most // 100)), format_name, **options), limits)
    with pytest.raises(InputError, match=f"at most {most} pixels") as caught:
        decode_drawing(encoded(Image.new("RGB", (102, most // 100)), format_name, **options), limits)
    assert caught.value.code == "too_many_pixels"


def with_repeated_scans(jpeg: bytes, times: int) -> bytes:
    """The file with its last scan, tables included, once more and again."""
    last = jpeg.rindex(b"\xff\xc4")
    return jpeg[:-2] + jpeg[last:-2] * times + jpeg[-2:]


def test_refuses_a_jpeg_of_many_scans() -> None:
    """Each costs a pass over the picture and hardly a byte; ten or so are what encoders write."""
    progressive = encoded(picture(), "JPEG", progressive=True)
    decode_drawing(progressive)
    with pytest.raises(InputError, match="scans") as caught:
        decode_drawing(with_repeated_scans(progressive, 60))
    assert (caught.value.status, caught.value.code) == (413, "too_many_scans")


def baseline_jpeg(side: int, colours: Sequence[int]) -> bytes:
    """A grey baseline JPEG of three colours, each scan of which holds one of them, numbered from one."""
    one_scan = encoded(Image.new("RGB", (side, side), "gray"), "JPEG", subsampling=0)
    header = one_scan[: one_scan.index(b"\xff\xda")]
    scans = [bytes([0xFF, 0xDA, 0, 8, 1, colour, 0, 0, 63, 0]) + bytes(4) for colour in colours]
    return header + b"".join(scans) + b"\xff\xd9"


def test_refuses_a_baseline_jpeg_of_many_scans() -> None:
    """It, too, costs a pass a scan where its colours come one after the other."""
    decode_drawing(baseline_jpeg(100, [1, 2, 3]))
    with pytest.raises(InputError, match="scans") as caught:
        decode_drawing(baseline_jpeg(100, [*[1] * 60, 2, 3]))
    assert (caught.value.status, caught.value.code) == (413, "too_many_scans")


@pytest.mark.parametrize("colours", [[1, 2, 3], [1]])
def test_a_baseline_jpeg_whose_colours_come_one_by_one_must_be_decoded_whole(colours: list[int]) -> None:
    """Its decoder keeps all of it until the last colour is there, and also where one never comes."""
    limits = DecodeLimits(max_pixels=20_000, max_full_pixels=10_000)
    decode_drawing(baseline_jpeg(100, colours), limits)
    with pytest.raises(InputError, match="at most 10000 pixels") as caught:
        decode_drawing(baseline_jpeg(101, colours), limits)
    assert caught.value.code == "too_many_pixels"


def test_counts_only_the_scans_of_the_first_picture() -> None:
    """Thumbnails before it, a video or further pictures behind it are not decoded and do not count."""
    thumbnail = encoded(picture(), "JPEG", progressive=True)
    exif = Image.Exif()
    exif[0x9286] = thumbnail
    data = encoded(picture(), "JPEG", progressive=True, exif=exif.tobytes() + thumbnail)
    scans = colours_of_scans(encoded(picture(), "JPEG", progressive=True), 50)
    assert 5 < len(scans) < 15
    assert colours_of_scans(data, 50) == scans
    decode_drawing(data + thumbnail * 20 + b"\xff\xda" * 500)


def test_a_file_of_nothing_but_segments_counts_as_too_many() -> None:
    """Counting itself must not take long."""
    assert len(colours_of_scans(b"\xff\xd8" + b"\xff\xfe\x00\x02" * 1_000_000, 50)) == 51


DECODE_IN_TURN = """
import re, sys
from pathlib import Path
from animation_server.drawing import decode_drawing
for path in sys.argv[1:]:
    decode_drawing(Path(path).read_bytes())
# getrusage would count what the process that started this one held
print(int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.slow
def test_the_largest_image_of_each_kind_costs_a_bounded_amount_of_memory(tmp_path: Path) -> None:
    """Some hundred kilobytes can claim the most pixels there may be; none of them takes a gigabyte."""
    bombs = {
        "b.png": png_of_rows(7000, 7000, bytes(7000 * 28_001), level=1),
        "b.webp": encoded(Image.new("RGB", (7000, 3500)), "WEBP", lossless=True, method=0),
    }
    for name, data in bombs.items():
        (tmp_path / name).write_bytes(data)
        assert len(data) < 1_000_000
    command = [sys.executable, "-c", DECODE_IN_TURN, *(str(tmp_path / name) for name in bombs)]
    peak_mb = int(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)
    assert peak_mb < 700


def test_refuses_too_many_bytes() -> None:
    """The size of the file is checked before anything reads it."""
    with pytest.raises(InputError, match="at most 100 bytes, came 101") as caught:
        decode_drawing(bytes(101), DecodeLimits(max_bytes=100))
    assert caught.value.status == 413


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "HEIC"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_refuses_truncated_files(format_name: str, kept: float) -> None:
    """Half an image is refused, not animated half grey."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    data = encoded(noise, format_name)
    with pytest.raises(InputError) as caught:
        decode_drawing(data[: int(len(data) * kept)])
    assert (caught.value.status, caught.value.code) == (422, "damaged_image")


SAMPLES = {name: encoded(picture(), name) for name in ("JPEG", "PNG", "WEBP", "HEIC")}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
)
def test_flipped_bytes_never_escape_as_other_errors(name: str, changes: list[tuple[int, int]]) -> None:
    """Whatever happens to the bytes of a file: a drawing comes out, or an InputError does."""
    data = bytearray(SAMPLES[name])
    for position, value in changes:
        data[position % len(data)] = value
    try:
        drawing = decode_drawing(bytes(data), DecodeLimits(max_pixels=1_000_000))
    except InputError:
        return
    assert drawing.rgb.ndim == 3

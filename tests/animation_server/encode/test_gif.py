"""Writing GIFs: what Pillow reads back is what was meant, at the time it was meant."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from animation_server.encode.gif import GifWriter, encode_gif
from animation_server.encode.lzw import compress
from animation_server.encode.palette import (
    Palette,
    PaletteMap,
    choose_palette,
    rgb_to_oklab,
    similar_indices,
)
from animation_server.encode.timing import choose_frames

GREYS = Palette(np.repeat(np.arange(0, 252, 4, dtype=np.uint8)[:, None], 3, axis=1))


def read_back(data: bytes) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Frames (H, W, 4) RGBA as a viewer composes them, and delays in centiseconds."""
    frames, delays = [], []
    with Image.open(io.BytesIO(data)) as image:
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            frames.append(np.asarray(image.convert("RGBA")))
            delays.append(round(image.info["duration"] / 10))
    return frames, delays


def write(frames: list[NDArray[np.uint8]], palette: Palette = GREYS, tolerance: float = 0.0) -> bytes:
    height, width = frames[0].shape
    writer = GifWriter(width, height, palette, tolerance=tolerance)
    for k, frame in enumerate(frames):
        writer.add(frame, 3 + k)
    return writer.finish()


def to_rgba(indices: NDArray[np.uint8], palette: Palette) -> NDArray[np.uint8]:
    table = np.zeros((256, 4), np.uint8)
    table[1 : 1 + len(palette.colours), :3] = palette.colours
    table[1:, 3] = 255
    return table[indices]


def moving_blobs(
    seed: int, shape: tuple[int, int], n_frames: int, *, opaque: bool, n_colours: int = 63
) -> list[NDArray[np.uint8]]:
    """Random rectangles that come, move and go; with and without a transparent ground."""
    rng = np.random.default_rng(seed)
    frames = []
    frame = np.full(shape, int(opaque), np.uint8)
    for _ in range(n_frames):
        frame = frame.copy()
        for _ in range(rng.integers(0, 4)):
            top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
            bottom, right = top + rng.integers(1, 9), left + rng.integers(1, 9)
            noisy = rng.integers(opaque, n_colours + 1, shape).astype(np.uint8)
            patch = noisy if rng.random() < 0.5 else np.full(shape, noisy[0, 0])
            frame[top:bottom, left:right] = patch[top:bottom, left:right]
        frames.append(frame)
    return frames


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_lzw_round_trips_through_pillow(data: st.DataObject) -> None:
    """Any indices of any depth come back from Pillow's decoder, long ones past several clear codes."""
    bits = data.draw(st.integers(2, 8))
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 300))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    change = data.draw(st.sampled_from([0.0, 0.01, 0.3, 1.0]))
    runs = np.cumsum(rng.random(height * width) < change)
    indices = rng.integers(0, 1 << bits, runs.max() + 1)[runs].astype(np.uint8).reshape(height, width)
    code, written = compress(indices, bits)
    assert (written == indices).all()
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    table = bytes(range(1 << bits)) * 3
    header = b"GIF89a" + size + bytes([0xF0 | (bits - 1), 0, 0]) + table
    file = header + b"," + bytes(4) + size + b"\0" + code + b";"
    with Image.open(io.BytesIO(file)) as image:
        assert (np.asarray(image) == indices).all()


@given(st.integers(0, 2**31), st.booleans(), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_clips_come_back_pixel_for_pixel(seed: int, opaque: bool, n_frames: int) -> None:
    """Whatever appears, moves or vanishes, a viewer shows just the frames that were added."""
    frames = moving_blobs(seed, (23, 31), n_frames, opaque=opaque)
    shown, delays = read_back(write(frames))
    assert delays == [3 + k for k in range(n_frames)]
    for frame, picture in zip(frames, shown, strict=True):
        wanted = to_rgba(frame, GREYS)
        assert (picture[..., 3] == wanted[..., 3]).all()
        visible = wanted[..., 3] > 0
        assert (picture[visible] == wanted[visible]).all()


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=30, deadline=None)
def test_loss_keeps_within_the_tolerance(seed: int, opaque: bool) -> None:
    """Changed pixels stay as near as was allowed, and what is transparent stays so."""
    frames = moving_blobs(seed, (40, 50), 6, opaque=opaque)
    shown, _ = read_back(write(frames, tolerance=0.05))
    for frame, picture in zip(frames, shown, strict=True):
        wanted = to_rgba(frame, GREYS)
        assert (picture[..., 3] == wanted[..., 3]).all()
        difference = np.linalg.norm(rgb_to_oklab(picture[..., :3]) - rgb_to_oklab(wanted[..., :3]), axis=-1)
        # of what is shown already a similar colour may stand for a similar colour
        assert difference[wanted[..., 3] > 0].max(initial=0.0) <= 0.05 + 1e-9


def test_loss_saves_bytes_but_leaves_even_areas_alone() -> None:
    """Grain shrinks by a quarter; where an index is like its neighbours on both sides, it stays."""
    rng = np.random.default_rng(0)
    frame = np.full((80, 100), 40, np.uint8)
    frame[20:60] = 30 + rng.integers(0, 3, (40, 100))
    lossy = write([frame], tolerance=0.05)
    assert len(lossy) < 0.75 * len(write([frame]))
    (shown,), _ = read_back(lossy)
    assert (shown[:20] == to_rgba(frame, GREYS)[:20]).all()
    assert (shown[61:] == to_rgba(frame, GREYS)[61:]).all()


def test_nothing_stays_behind_on_an_opaque_ground() -> None:
    """Where a grainy thing moved on, the even ground is shown again exactly, loss or not."""
    rng = np.random.default_rng(0)
    frames = []
    for k in range(12):
        frame = np.full((30, 60), 33, np.uint8)
        frame[8:22, 3 * k : 3 * k + 14] = 33 + rng.integers(-3, 4, (14, 14))
        frames.append(frame)
    ground = to_rgba(frames[0], GREYS)[0, 0]
    shown, _ = read_back(write(frames, tolerance=0.08))
    for k, picture in enumerate(shown):
        assert (picture[:, : max(0, 3 * k - 1)] == ground).all()


def test_only_the_rectangle_that_changed_is_written() -> None:
    """A dot that blinks on a still ground costs a few bytes a frame, not the ground's."""
    ground = np.random.default_rng(0).integers(1, 63, (100, 100)).astype(np.uint8)
    dot = ground.copy()
    dot[50, 50] = 63
    once, often = len(write([ground])), len(write([ground, dot] * 20))
    assert often - once < 39 * 40


def test_delays_too_long_for_a_gif_are_spread() -> None:
    """Eleven minutes and more on one frame take two."""
    writer = GifWriter(2, 2, GREYS)
    writer.add(np.ones((2, 2), np.uint8), 100_000)
    _, delays = read_back(writer.finish())
    assert sum(delays) == 100_000


def test_misuse_is_told() -> None:
    """Wrong sizes, no frames and negative times raise with what was expected."""
    writer = GifWriter(3, 2, GREYS)
    with pytest.raises(ValueError, match="at least one frame"):
        writer.finish()
    with pytest.raises(ValueError, match=r"want \(2, 3\), got \(3, 2\)"):
        writer.add(np.zeros((3, 2), np.uint8), 3)
    with pytest.raises(ValueError, match="0 or more"):
        writer.add(np.zeros((2, 3), np.uint8), -1)
    with pytest.raises(ValueError, match="1 to 65535"):
        GifWriter(0, 2, GREYS)


def test_palette_keeps_rare_colours_and_is_no_larger_than_needed() -> None:
    """A thousandth of red on white keeps its red; two colours make a palette of two."""
    samples = np.full((10_000, 3), 250, np.uint8)
    samples[:10] = (220, 30, 30)
    palette = choose_palette(samples, 63)
    assert palette.colours.tolist() == [[220, 30, 30], [250, 250, 250]]
    assert palette.bits == 2
    noise = np.random.default_rng(0).integers(0, 256, (20_000, 3)).astype(np.uint8)
    assert len(choose_palette(noise, 255).colours) > 200
    assert len(choose_palette(noise, 255, tolerance=0.2).colours) <= 15
    assert len(choose_palette(noise[:0], 8).colours) == 1


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (250, 250, 250), (240, 240, 241)])
def test_a_plain_ground_keeps_its_colour_among_others_much_like_it(ground: tuple[int, int, int]) -> None:
    """Neither the choice of a palette nor the search in it shifts it; the size is bounded as ever."""
    paper = np.random.default_rng(0).integers(0, 256, (5_000, 3)).astype(np.uint8)
    paper[:4_000] = 240 + paper[:4_000] // 17
    for n_colours in (2, 15, 255):
        palette = choose_palette(paper, n_colours, tolerance=0.1, ground=np.array(ground, np.uint8))
        assert 2 <= len(palette.colours) <= n_colours
        rgba = np.array([[[*ground, 255], [128, 30, 30, 255]]], np.uint8)
        indices = np.zeros((1, 2), np.uint8)
        PaletteMap(palette).to_indices(rgba.view(np.uint32)[..., 0], indices, (0, 0, 2, 1))
        assert tuple(palette.colours[indices[0, 0] - 1]) == ground
    only = choose_palette(np.array([ground] * 9, np.uint8), 63, ground=np.array(ground, np.uint8))
    assert only.colours.tolist() == [list(ground)]


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=50))
@settings(max_examples=50, deadline=None)
def test_the_nearest_colour_is_found(colours: list[tuple[int, int, int]]) -> None:
    """Within what six bits a channel can tell, the index is that of the most similar colour."""
    rng = np.random.default_rng(0)
    palette = choose_palette(np.array(colours, np.uint8), 20)
    rgba = np.full((1, 64, 4), 255, np.uint8)
    rgba[..., :3] = rng.integers(0, 256, (64, 3))
    indices = np.zeros((1, 64), np.uint8)
    PaletteMap(palette).to_indices(rgba.view(np.uint32)[..., 0], indices, (0, 0, 64, 1))
    lab = rgb_to_oklab(palette.colours)
    centre = (rgba[0, :, :3] & 0xFC).astype(float) + 1.5
    distance = np.linalg.norm(rgb_to_oklab(centre)[:, None] - lab, axis=-1)
    chosen = distance[np.arange(64), indices[0].astype(int) - 1]
    np.testing.assert_allclose(chosen, distance.min(axis=1), atol=1e-6)


def test_half_transparent_pixels_are_cut_and_lose_no_colour() -> None:
    """Below one half nothing is shown; above, the colour is what it was before it was premultiplied."""
    palette = Palette(np.array([[0, 0, 0], [200, 100, 40]], np.uint8))
    rgba = np.array([[[100, 50, 20, 128], [99, 50, 20, 127], [200, 100, 40, 255], [0, 0, 0, 0]]], np.uint8)
    indices = np.full((1, 4), 9, np.uint8)
    PaletteMap(palette).to_indices(rgba.view(np.uint32)[..., 0], indices, (0, 0, 4, 1))
    assert indices.tolist() == [[2, 0, 2, 0]]


def test_similar_colours_are_listed_nearest_first_and_never_transparent() -> None:
    """Index 0 is like nothing, and nothing is like it."""
    similar = similar_indices(GREYS, 0.05)
    assert (similar[0] == 0).all()
    assert (similar[1:64] > 0).all()
    assert set(similar[30, :2]) == {29, 31}


def test_frames_are_encoded_as_they_are_drawn() -> None:
    """Pictures with the box they changed in become indices; outside the boxes is background."""
    pictures = []
    for column in (0, 3, 6):
        picture = np.zeros((4, 10), np.uint32)
        picture[1:3, column : column + 3] = 0xFF000000
        pictures.append((picture, (column, 1, column + 3, 3)))
    shown, delays = read_back(encode_gif(pictures, [4, 5, 6], Palette(np.zeros((1, 3), np.uint8)), 10, 4))
    assert delays == [4, 5, 6]
    for (picture, _), frame in zip(pictures, shown, strict=True):
        assert ((frame[..., 3] > 0) == (picture > 0)).all()


@given(
    st.integers(1, 500),
    st.floats(1e-4, 3.0),
    st.floats(1.0, 60.0),
    st.one_of(st.none(), st.integers(1, 300)),
)
def test_total_duration_is_exact(n: int, frame_time: float, fps: float, most: int | None) -> None:
    """Whatever the frame time, delays sum to the clip's time, and no delay is one browsers stretch."""
    timing = choose_frames(n, frame_time, fps, most)
    assert timing.delays_cs.sum() == max(2, round(n * frame_time * 100))
    assert timing.delays_cs.min() >= 2
    assert timing.frames[0] == 0
    assert timing.frames[-1] < n
    assert (np.diff(timing.frames) > 0).all()
    assert len(timing.frames) <= (most or n)


def test_mocap_rates() -> None:
    """30 frames a second are all shown, of 120 every fourth; both at 3, 3 and 4 centiseconds."""
    assert choose_frames(339, 0.0333333, 30.0).delays_cs[:6].tolist() == [3, 4, 3, 3, 4, 3]
    fast = choose_frames(839, 0.008342, 30.0)
    assert (np.diff(fast.frames) == 4).all()
    assert fast.duration == 7.0


@pytest.mark.parametrize(("frame_time", "fps"), [(0.0199999, 50.0), (0.01999, 60.0), (0.0333, 30.0)])
def test_a_frame_time_that_was_rounded_down_keeps_its_rate(frame_time: float, fps: float) -> None:
    """A fiftieth of a second written a little short: all frames are shown, none for less than browsers do."""
    timing = choose_frames(100, frame_time, fps)
    assert len(timing.frames) == 100
    assert timing.delays_cs.min() >= 2

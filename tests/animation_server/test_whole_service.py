"""The app as its settings wire it: the embedded models, the real renderer, a local store."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from flask import Flask
from PIL import Image

from animation_server.animate import AnimationOptions
from animation_server.api.parts import parts_of
from animation_server.app import create_app
from animation_server.motion.library import load_motion
from animation_server.sample import sample_character, sample_drawing
from animation_server.service.library_renderer import LibraryRenderer, motion_digest
from animation_server.settings import Settings
from tests.drawings import DRAWING, png

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 480, 640


def wood() -> np.ndarray:
    """A photograph of a desk."""
    grain = 20 * np.sin(np.arange(HEIGHT) / 5)[:, None, None]
    wood = np.array([150, 100, 60]) + grain + RNG.normal(0, 5, (HEIGHT, WIDTH, 3))
    return np.clip(wood, 0, 255).astype(np.uint8)


def wall() -> np.ndarray:
    """A photograph of a wall with a lamp beside it."""
    light = np.linspace(250, 60, WIDTH)[None, :, None] + RNG.normal(0, 3, (HEIGHT, WIDTH, 3))
    return np.clip(light, 0, 255).astype(np.uint8)


WITHOUT_FIGURE = {
    "white sheet": np.full((HEIGHT, WIDTH, 3), 255, dtype=np.uint8),
    "grey sheet": np.full((HEIGHT, WIDTH, 3), 200, dtype=np.uint8),
    "wood": wood(),
    "wall": wall(),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    objects = tmp_path_factory.mktemp("service") / "objects"
    app = create_app(Settings(local_dir=objects, size=120, frames=20))
    service = parts_of(app).service
    service.warm_up()
    yield app
    service.close()


def stored(app: Flask) -> list[Path]:
    return [path for path in parts_of(app).settings.local_dir.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", WITHOUT_FIGURE)
def test_pictures_without_a_figure(app: Flask, name: str) -> None:
    """A blank sheet or a photograph of something else is 422 and stores nothing."""
    before = stored(app)
    image = png(WITHOUT_FIGURE[name])
    response = app.test_client().post("/v1/animations", data=image, content_type="image/png")
    assert (response.status_code, response.get_json()["error"]["code"]) == (422, "no_figure")
    assert stored(app) == before


def test_a_drawing_becomes_animations(app: Flask) -> None:
    """The operator's motions, size and frames; every file opens, animates and lasts as long as its motion."""
    http = app.test_client()
    body = http.post("/v1/animations", data={"image": (io.BytesIO(DRAWING), "a.png")}).get_json()
    seconds = {m["name"]: m["duration_s"] for m in http.get("/v1/motions").get_json()["motions"]}
    assert set(body["animations"]) == {"dab", "jumping", "zombie"}
    for name, url in body["animations"].items():
        with http.get(urlsplit(url).path) as answer, Image.open(io.BytesIO(answer.data)) as gif:
            assert answer.mimetype == "image/gif"
            assert gif.size == (120, 120)
            assert 2 <= gif.n_frames <= 20
            assert duration_ms(gif) == pytest.approx(seconds[name] * 1000, abs=10)


def duration_ms(image: Image.Image) -> float:
    total = 0.0
    for frame in range(getattr(image, "n_frames", 1)):
        image.seek(frame)
        total += image.info["duration"]
    return total


def test_is_ready(app: Flask) -> None:
    """Warmed up, with models and storage that answer."""
    assert app.test_client().get("/readyz").status_code == 200


def test_the_models_see_the_sample(app: Flask) -> None:
    """Warming up goes the whole way only when the sample drawing shows a figure."""
    assert parts_of(app).service.client.detect(sample_drawing().rgb)


def test_wires_torchserve_and_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other parts are made from the settings too, and asked nothing until they are needed."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = Settings(
        inference="torchserve",
        models_version="7",
        storage="s3",
        s3_bucket="drawings",
        s3_urls="public",
        s3_prefix="p/",
    )
    app = create_app(settings)
    service = parts_of(app).service
    assert service.client.version() == "7"
    assert service.store.url("k/x.gif") == "https://drawings.s3.amazonaws.com/p/k/x.gif"
    assert app.test_client().get("/objects/k/x.gif").status_code == 404
    service.close()


def test_renders_the_same_bytes_again() -> None:
    """A key names its content: the same character and motion give the same file, with the same version."""
    first, second = LibraryRenderer(), LibraryRenderer()
    look = AnimationOptions((64, 64), max_frames=5)
    clips = [r.render(r.prepare(sample_character()), "dab", look).data for r in (first, second)]
    assert clips[0] == clips[1]
    assert first.version == second.version
    assert first.motions == second.motions


def test_digests_tell_motions_apart_and_not_places() -> None:
    """What moves differently has another digest; the same motion elsewhere has the same."""
    renderer = LibraryRenderer()
    digests = {motion.digest for motion in renderer.motions.values()}
    assert len(digests) == len(renderer.motions) >= 3
    dab = load_motion("dab")
    assert motion_digest(dab) == renderer.motions["dab"].digest
    assert motion_digest(dab.resampled(50)) != motion_digest(dab)

"""What becomes of a marked photograph and a marked key: nothing of them is anywhere but where it belongs."""

from __future__ import annotations

import base64
import io
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from PIL import Image

from animation_server.api.keys import add_key
from animation_server.storage.keys import character_folder, drawing_folder, drawing_id
from tests.drawings import BLANK
from tests.parts.process import eventually
from tests.parts.server import Server, animation_server
from tests.places import SAMPLE

pytestmark = pytest.mark.slow

MARK = "cuttlefish-4711"
"""Written wherever a photograph, a form or a client can carry text."""

_GPS, _USER_COMMENT, _EXIF_IFD, _MAKE, _ORIENTATION = 0x8825, 0x9286, 0x8769, 0x010F, 0x0112


def photograph() -> bytes:
    """The sample drawing as a phone takes it: place, device and comment in every kind of metadata."""
    exif = Image.Exif()
    exif[_MAKE] = MARK
    exif[_ORIENTATION] = 1
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"ASCII\0\0\0" + MARK.encode()
    exif.get_ifd(_GPS).update({1: "N", 2: (52.0, 31.0, 12.5), 3: "E", 4: (13.0, 24.0, 17.5), 29: MARK})
    stream = io.BytesIO()
    with Image.open(SAMPLE) as image:
        image.save(stream, "JPEG", exif=exif, comment=MARK, xmp=f"<x>{MARK}</x>".encode())
    return stream.getvalue()


@dataclass(frozen=True)
class Place:
    """A running server with keys, and everything that it writes to."""

    server: Server
    key: str
    home: Path
    characters: list[str] = field(default_factory=list)

    def post(self, path: str, **request: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}", "User-Agent": MARK, "Referer": f"http://{MARK}/"}
        return requests.post(f"{self.server.url}{path}", headers=headers, timeout=120, **request)  # type: ignore[arg-type]

    def files(self, folder: str) -> list[Path]:
        return [path for path in (self.home / folder).rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server that says all it can say, keeps drawings, and has been through every kind of request."""
    home = tmp_path_factory.mktemp("privacy")
    key = add_key(home / "api-keys", "app")
    for folder in ("tmp", "user"):
        (home / folder).mkdir()
    settings = {
        "ANIMATION_API_KEYS_FILE": str(home / "api-keys"),
        "ANIMATION_KEEP_UPLOADS": "true",
        "ANIMATION_LOG_LEVEL": "debug",
        "ANIMATION_SIZE": "64",
        "ANIMATION_FRAMES": "8",
        "TMPDIR": str(home / "tmp"),
        "HOME": str(home / "user"),
        "ORT_DISABLE_TELEMETRY": "0",
    }
    with animation_server(home, settings) as server:
        place = Place(server, key, home)
        exercise(place)
        yield place


def exercise(place: Place) -> None:
    """Ask for everything, rightly and wrongly."""
    image = photograph()
    for look in ("gif", "webp", "apng", "mp4"):
        fields = {"motions": "dab", "format": look, "background": "sheet" if look == "gif" else "#ffffff"}
        upload = {"image": (f"{MARK}.jpg", image, "image/jpeg")}
        answer = place.post("/v1/animations", files=upload, data=fields)
        assert answer.status_code == 200, answer.text
    answer = place.post("/v1/characters", files={"image": (f"{MARK}.jpg", image)})
    assert answer.status_code == 201, answer.text
    place.characters.append(answer.json()["id"])
    assert place.post("/", json={"file": base64.b64encode(image).decode()}).status_code == 200
    for status, bad in (
        (422, BLANK),
        (422, image[: len(image) // 2]),
        (415, MARK.encode() * 100),
        (400, b""),
    ):
        files = {"image": (MARK, bad)}
        assert place.post("/v1/animations", files=files).status_code == status
    assert place.post("/v1/animations", files={"image": image}, data={MARK: MARK}).status_code == 422
    assert place.post("/v1/animations", files={"image": image}, data={"motions": MARK}).status_code == 422
    assert place.post(f"/{MARK}", data=image).status_code == 404
    assert place.post(f"/v1/animations?{MARK}={MARK}", data=image).status_code in (415, 422)
    assert place.post("/", data=f'{{"file": "{MARK}'.encode()).status_code == 400
    for status, head in (
        (400, f"GET /{MARK}?{MARK}={MARK}"),
        (400, f"{MARK}@ / HTTP/1.1"),
        (400, f"GET /{MARK} HTTP/1.1\r\n{MARK}@: x"),
        (400, f"GET /{MARK} HTTP/1.1\r\nHost: {MARK}\r\nContent-Length: {MARK}"),
        (414, f"GET /{MARK * 1000} HTTP/1.1"),
        (501, f"POST /{MARK} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {MARK}"),
    ):
        assert status_of(place.server, head) == status, head
    wrong = requests.get(f"{place.server.url}/v1/motions", headers={"X-Api-Key": MARK}, timeout=5)
    assert wrong.status_code == 401


def status_of(server: Server, head: str) -> int:
    """Send a request's head as it is, and tell the answer's status."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        return int(connection.recv(100).split()[1])


def test_output_holds_no_key_and_nothing_of_the_photograph(place: Place) -> None:
    """Not even at the level debug, of requests that fail in every way; what is logged are lines of JSON."""
    output = place.server.log.read_text()
    assert output.count('"route": "/v1/animations"') >= 10
    assert place.key not in output
    assert place.key[8:] not in output
    assert MARK not in output
    image = photograph()
    for start in range(0, len(image), 3000):
        piece = image[start : start + 24]
        assert base64.b64encode(piece).decode()[:30] not in output
        assert piece.hex() not in output
        assert repr(piece)[2:-1] not in output
    for line in output.splitlines():
        entry = json.loads(line)
        assert "127.0.0.1" not in line or entry["event"].startswith("Listening"), line


def test_output_names_no_object_while_the_store_is_away(tmp_path: Path) -> None:
    """What fails is said, and of what is not: keys and ids are rights."""
    character = "ab" * 16
    settings = {
        "ANIMATION_STORAGE": "s3",
        "ANIMATION_S3_ENDPOINT_URL": "http://127.0.0.1:9",
        "ANIMATION_LOG_LEVEL": "debug",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with animation_server(tmp_path, settings, ready="/healthz") as server:
        url, image = server.url, photograph()
        answers = [
            requests.post(f"{url}/v1/animations", files={"image": image}, timeout=60),
            requests.post(f"{url}/v1/characters", files={"image": image}, timeout=60),
            requests.get(f"{url}/v1/characters/{character}", timeout=60),
            requests.delete(f"{url}/v1/characters/{character}", timeout=60),
            requests.get(f"{url}/v1/motions/dab/preview", timeout=60),
        ]
        assert [answer.status_code for answer in answers] == [503] * len(answers)
        later = {"Prefer": "respond-async"}
        accepted = requests.post(f"{url}/v1/animations", files={"image": image}, headers=later, timeout=60)
        job = accepted.json()["id"]
        assert eventually(lambda: '"job failed"' in server.log.read_text(), 30)
        assert requests.delete(f"{url}/v1/jobs/{job}", timeout=60).ok
    output = server.log.read_text()
    assert "S3 head_object on animations" in output
    drawing = drawing_id(image)
    for secret in (
        character_folder(character),
        drawing_folder(drawing),
        drawing,
        character,
        job,
        "/previews",
    ):
        assert secret not in output


def test_metadata_never_leaves(place: Place) -> None:
    """Animations, textures, masks and kept sheets are pixels: no EXIF, no place, no comment, no XMP."""
    stored = place.files("objects")
    pictures = [path for path in stored if path.suffix in {".png", ".gif", ".webp"}]
    assert {path.suffix for path in stored} >= {".png", ".gif", ".webp", ".mp4", ".json"}
    assert any(path.name.startswith("sheet") for path in pictures)
    for path in stored:
        content = path.read_bytes()
        assert MARK.encode() not in content, path
        assert b"Exif" not in content, path
        assert b"eXIf" not in content, path
    for path in pictures:
        with Image.open(path) as picture:
            assert not picture.getexif(), path
            assert not {"comment", "xmp", "exif", "icc_profile"} & set(picture.info), path


def test_uploads_are_written_nowhere(place: Place) -> None:
    """Neither whole, nor in temporary files: what is on the disk is what the service made."""
    image = photograph()
    written = [*place.files("objects"), *place.files("tmp"), *place.files("user")]
    assert [path for path in written if path.suffix in {".jpg", ".jpeg"}] == []
    assert [path for path in written if image[1000:1100] in path.read_bytes()] == []
    assert place.files("tmp") == []


def test_no_library_reports_to_its_maker(place: Place) -> None:
    """ONNX Runtime would: it leaves an identifier of the machine in the home directory before it does."""
    assert place.files("user") == []


def test_what_is_stored_gives_no_right_away(place: Place) -> None:
    """Who knows an id may delete: in a public bucket anyone may read what is stored, and finds none."""
    (character, *_) = place.characters
    drawing = place.post("/v1/animations", files={"image": photograph()}, data={"motions": "dab"}).json()[
        "id"
    ]
    for path in place.files("objects"):
        for right in (character, drawing):
            assert right.encode() not in path.read_bytes(), path
            assert right not in str(path)


def test_nothing_is_left_after_delete(place: Place) -> None:
    """Texture, mask, sheet, records, animations: the character's and its drawing's."""
    answer = place.post("/v1/characters", files={"image": photograph()})
    character = answer.json()["id"]
    answer = place.post(f"/v1/characters/{character}/animations", json={"motions": ["dab"]})
    assert answer.status_code == 200, answer.text
    for name in [*place.characters, character]:
        url = f"{place.server.url}/v1/characters/{name}"
        deleted = requests.delete(url, headers={"X-Api-Key": place.key}, timeout=30)
        assert deleted.status_code == 204, deleted.text
    assert place.files("objects") == []

"""One contract for every object store, and what each adds."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from animation_server.errors import StorageError
from animation_server.storage import ObjectStore
from animation_server.storage import s3 as s3_module
from animation_server.storage.keys import animation_key, drawing_id, is_key
from animation_server.storage.local import LocalStore
from animation_server.storage.s3 import LEAST_SESSION_S, S3Address, S3Store
from tests.moto_bucket import BUCKET, KEY
from tests.parts.swift import S3Server, swift_server

pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def s3(endpoint: str) -> Iterator[S3Store]:
    store = S3Store(S3Address(BUCKET, endpoint_url=endpoint, prefix="test/"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, with our bucket in it."""
    with swift_server(tmp_path_factory.mktemp("swift")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def s3_in_swift(swift: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", swift.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", swift.secret_key)
    store = S3Store(S3Address(BUCKET, endpoint_url=swift.endpoint, region=swift.region, prefix="test/"))
    yield store
    store.close()


@pytest.fixture(params=["local", "s3", pytest.param("s3_in_swift", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return LocalStore(tmp_path / "objects", "http://server")
    s3: S3Store = request.getfixturevalue(request.param)
    return s3


class TestContract:
    """What the pipeline relies on, wherever objects lie."""

    def test_keeps_objects(self, store: ObjectStore) -> None:
        """What was put exists; what was not, does not."""
        key = "a" * 32 + "/dab-1.gif"
        assert store.exists([key]) == [False]
        store.put(key, b"GIF89a", "image/gif")
        assert store.exists([KEY, key]) == [False, True]

    def test_putting_again_is_harmless(self, store: ObjectStore) -> None:
        """The same key means the same content."""
        store.put(KEY, b"GIF89a", "image/gif")
        store.put(KEY, b"GIF89a", "image/gif")
        assert store.exists([KEY]) == [True]

    def test_reads_what_was_put(self, store: ObjectStore) -> None:
        """The very bytes, the latest ones; None for what is not there."""
        key = "read/a.json"
        assert store.get(key) is None
        for data in (b"first", b"", b"second"):
            store.put(key, data, "application/json")
            assert store.get(key) == data
        assert store.get("read") is None

    def test_creates_once(self, store: ObjectStore) -> None:
        """What is there is left as it is, and the caller told; of many at once one creates."""
        key = "create/1.json"
        assert store.create(key, b"first", "application/json")
        assert not store.create(key, b"second", "application/json")
        assert store.get(key) == b"first"

    def test_lists_a_folder(self, store: ObjectStore) -> None:
        """All below the folder, in order, and nothing of folders whose names begin alike."""
        keys = ["list/b.gif", "list/a.gif", "list/c/d.gif"]
        for key in [*keys, "lists/e.gif", "list.gif"]:
            store.put(key, b"GIF89a", "image/gif")
        assert store.list_keys("list") == sorted(keys)
        assert store.list_keys("list/c") == ["list/c/d.gif"]
        assert store.list_keys("nothing") == []

    def test_deletes(self, store: ObjectStore) -> None:
        """What is deleted is gone, what was not there is no error, and the rest stays."""
        keys = ["delete/a.gif", "delete/b/c.gif", "delete/d.gif"]
        for key in keys:
            store.put(key, b"GIF89a", "image/gif")
        store.delete([*keys[:2], "delete/nothing.gif", "nowhere/at-all.gif"])
        assert store.list_keys("delete") == keys[2:]
        store.delete(store.list_keys("delete"))
        assert store.list_keys("delete") == []
        store.delete([])

    def test_is_ready(self, store: ObjectStore) -> None:
        """A check that passes says nothing and leaves nothing."""
        store.check()

    @pytest.mark.parametrize(
        "key", ["../x", "/etc/passwd", "a/../b", ".hidden", "a//b", "", "a/b\n", "ä", "a" * 600]
    )
    def test_refuses_what_is_no_key(self, store: ObjectStore, key: str) -> None:
        """Nothing leads out of the store."""
        for call in (
            store.url,
            store.get,
            store.list_keys,
            lambda k: store.exists([k]),
            lambda k: store.delete([k]),
            lambda k: store.put(k, b"", "image/gif"),
            lambda k: store.create(k, b"", "image/gif"),
        ):
            with pytest.raises(ValueError, match="key") as caught:
                call(key)
            assert repr(key) not in str(caught.value)


def test_local_objects_are_whole_files(tmp_path: Path) -> None:
    """The file has the content and may be read by others; no temporary one is left."""
    store = LocalStore(tmp_path, "http://server/")
    store.put(KEY, b"GIF89a", "image/gif")
    assert (tmp_path / KEY).read_bytes() == b"GIF89a"
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o644
    assert [path.name for path in (tmp_path / KEY).parent.iterdir()] == ["dab-4567.gif"]
    assert store.url(KEY) == f"http://server/objects/{KEY}"


def test_of_several_at_once_one_creates(tmp_path: Path) -> None:
    """Who is told so has its content kept."""
    store = LocalStore(tmp_path, "")
    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(lambda i: store.create(KEY, str(i).encode(), "application/json"), range(12)))
    assert created.count(True) == 1
    assert store.get(KEY) == str(created.index(True)).encode()


def test_local_readers_never_see_half_an_object(tmp_path: Path) -> None:
    """While an object is put again and again, whoever reads it gets all of it."""
    store = LocalStore(tmp_path, "")
    contents = [letter * 200_000 for letter in (b"a", b"b")]
    store.put(KEY, contents[0], "image/gif")
    done = threading.Event()

    def write() -> None:
        for number in range(40):
            store.put(KEY, contents[number % 2], "image/gif")
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert (tmp_path / KEY).read_bytes() in contents
    writer.join()


def test_local_failures_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is a StorageError, and no half-written file stays."""

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    store = LocalStore(tmp_path, "")
    with pytest.raises(StorageError, match="No space left"):
        store.put(KEY, b"GIF89a", "image/gif")
    assert store.exists([KEY]) == [False]
    assert list((tmp_path / KEY).parent.iterdir()) == []


def test_local_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the directory should be is a StorageError, for check and put alike."""
    (tmp_path / "objects").write_text("in the way")
    store = LocalStore(tmp_path / "objects", "")
    with pytest.raises(StorageError, match="cannot write"):
        store.check()
    with pytest.raises(StorageError, match="cannot store"):
        store.put(KEY, b"", "image/gif")


def test_local_failures_name_no_object(tmp_path: Path) -> None:
    """Every operation that fails is a StorageError: it says what failed and where, not of which key."""
    name = "a" * 300  # more than file systems take
    store = LocalStore(tmp_path, "")
    for call in calls_of(store, f"{name}/dab.gif"):
        with pytest.raises(StorageError, match=f"cannot .*{tmp_path}: File name too long") as caught:
            call()
        assert name not in str(caught.value)


def calls_of(store: ObjectStore, key: str) -> list[Callable[[], object]]:
    """Every operation on an object."""
    return [
        lambda: store.put(key, b"", "image/gif"),
        lambda: store.create(key, b"", "image/gif"),
        lambda: store.get(key),
        lambda: store.exists([key]),
        lambda: store.list_keys(key),
        lambda: store.delete([key]),
    ]


def test_s3_objects_carry_their_headers(s3: S3Store) -> None:
    """A signed link answers with the content, its type, and leave to cache it for good."""
    s3.put(KEY, b"GIF89a", "image/gif")
    link = s3.url(KEY)
    answer = requests.get(link, timeout=5)
    assert (answer.status_code, answer.content) == (200, b"GIF89a")
    assert answer.headers["Content-Type"] == "image/gif"
    assert "immutable" in answer.headers["Cache-Control"]
    assert urlsplit(link).path == f"/{BUCKET}/test/{KEY}"
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["86400"]


def test_s3_links(endpoint: str) -> None:
    """Plain links name the bucket's address or the CDN's; signed ones the public endpoint."""

    def link(**address: str) -> str:
        store = S3Store(S3Address(BUCKET, **address))  # type: ignore[arg-type]
        try:
            return store.url(KEY)
        finally:
            store.close()

    assert link(urls="public") == f"https://{BUCKET}.s3.amazonaws.com/{KEY}"
    assert link(urls="public", endpoint_url=endpoint) == f"{endpoint}/{BUCKET}/{KEY}"
    assert link(urls="public", public_base_url="https://cdn.example/") == f"https://cdn.example/{KEY}"
    signed = link(endpoint_url=endpoint, public_endpoint_url="https://s3.example")
    assert signed.startswith(f"https://s3.example/{BUCKET}/{KEY}?")


@pytest.mark.parametrize("urls", ["presigned", "public"])
@pytest.mark.parametrize(
    ("bucket", "region", "begins"),
    [
        ("animations", "eu-central-1", "https://animations.s3.eu-central-1.amazonaws.com/"),
        ("animations", "me-central-1", "https://animations.s3.me-central-1.amazonaws.com/"),
        ("animations", "cn-north-1", "https://animations.s3.cn-north-1.amazonaws.com.cn/"),
        ("anim.ations", "eu-central-1", "https://s3.eu-central-1.amazonaws.com/anim.ations/"),
    ],
)
def test_links_to_aws_name_the_regions_own_host(
    urls: Literal["presigned", "public"], bucket: str, region: str, begins: str
) -> None:
    """The global host redirects elsewhere what is signed for it, or knows nothing of the bucket."""
    with closing(S3Store(S3Address(bucket, region=region, urls=urls))) as store:
        assert store.url(KEY).partition("?")[0] == begins + KEY


def test_links_live_no_longer_than_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a role end, and with them what they have signed; plain links do not."""

    def life_s(**address: Any) -> float | None:
        with closing(S3Store(S3Address(BUCKET, **address))) as store:
            return store.url_life_s

    assert life_s(presigned_expiry_s=3600) == 3600
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of a role")
    assert life_s(presigned_expiry_s=3600) == LEAST_SESSION_S
    assert life_s(presigned_expiry_s=60) == 60
    assert life_s(urls="public") is None


def test_s3_creates_within_the_time_that_is_left(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking whether the object is there, and storing it, take no longer together than the caller waits."""
    now, timeouts = 0.0, []

    def take_a_second(
        call: Callable[[Any], Any], items: Sequence[Any], timeout_s: float | None = None
    ) -> Any:
        nonlocal now
        now += 1.0
        timeouts.append(timeout_s)
        return [call(item) for item in items]

    monkeypatch.setattr(s3_module, "monotonic", lambda: now)
    with closing(S3Store(S3Address(BUCKET, endpoint_url=endpoint), take_a_second)) as store:
        for timeout_s, expected in ((5.0, [5.0, 4.0]), (0.5, [0.5, 0.0]), (None, [None, None])):
            timeouts.clear()
            store.create(f"left/{timeout_s}.json", b"", "application/json", timeout_s)
            assert timeouts == expected


def test_s3_that_fails(endpoint: str) -> None:
    """A missing bucket and a server that is down are StorageErrors; neither counts as a missing object."""
    missing = S3Store(S3Address("no-such-bucket", endpoint_url=endpoint))
    with pytest.raises(StorageError, match="status 404"):
        missing.check()
    with pytest.raises(StorageError, match="NoSuchBucket"):
        missing.put(KEY, b"", "image/gif")
    down = S3Store(S3Address(BUCKET, endpoint_url="http://127.0.0.1:1", connect_timeout_s=0.2))
    for call in (down.check, *calls_of(down, KEY)):
        with pytest.raises(StorageError, match=f"S3 .* on {BUCKET} at .*EndpointConnectionError") as caught:
            call()
        assert not any(part in str(caught.value) for part in KEY.split("/"))
    missing.close()
    down.close()


def test_s3_without_credentials(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Having no credentials is a StorageError that says so; plain links need none."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    store = S3Store(S3Address(BUCKET, endpoint_url=endpoint))
    with pytest.raises(StorageError, match="NoCredentialsError"):
        store.check()
    with pytest.raises(StorageError, match="NoCredentialsError"):
        store.url(KEY)
    store.close()
    with closing(S3Store(S3Address(BUCKET, urls="public"))) as public:
        assert public.url(KEY) == f"https://{BUCKET}.s3.amazonaws.com/{KEY}"


RENDITION = {"size": 400, "models": "1", "motion": "d"}


def test_equal_requests_have_equal_keys() -> None:
    """A key is a function of what it is made from, whatever the order."""
    drawing = drawing_id(b"image")
    assert animation_key(drawing, "dab", RENDITION, "gif") == animation_key(
        drawing, "dab", dict(reversed(RENDITION.items())), "gif"
    )


@given(st.dictionaries(st.sampled_from(["size", "models", "motion"]), st.integers() | st.text()))
def test_whatever_changes_the_result_changes_the_key(changes: dict[str, object]) -> None:
    """Every part counts: options, models, motion."""
    drawing = drawing_id(b"image")
    same = RENDITION | changes == RENDITION
    key, other = (animation_key(drawing, "dab", r, "gif") for r in (RENDITION, RENDITION | changes))
    assert (key == other) is same


def test_drawings_and_salts_change_the_folder() -> None:
    """Another image, or another salt, is another folder that cannot be told from the first."""
    ids = {
        drawing_id(b"image"),
        drawing_id(b"other"),
        drawing_id(b"image", "salt"),
        drawing_id(b"image", "pepper"),
    }
    assert len(ids) == 4
    assert all(len(name) == 32 and is_key(name) for name in ids)


@pytest.mark.parametrize("name", ["../dab", "d/../../x", "dab zombie"])
def test_a_motion_that_is_no_name_makes_no_key(name: str) -> None:
    """What cannot stand in a key is refused there too."""
    with pytest.raises(ValueError, match="key"):
        animation_key(drawing_id(b"image"), name, {}, "gif")

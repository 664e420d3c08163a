"""Characters below HTTP: nothing is left of one that nobody knows of, or that somebody deletes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from animation_server.animate import AnimationOptions
from animation_server.app import decode_limits
from animation_server.concurrency import ThreadExecutor
from animation_server.errors import AnimationError, CancelledError, StorageError
from animation_server.service.admission import Deadline
from animation_server.service.character_record import Correction, StoredCharacter
from animation_server.service.pipeline import AnimationService, PipelineLimits
from animation_server.service.request import AnimationRequest, CharacterAnimationRequest
from animation_server.settings import Settings
from animation_server.storage.local import LocalStore
from tests.drawings import DRAWING
from tests.fakes import CountingRenderer, FigureClient

NOSE = Correction({"nose": (100.0, 50.0)})


class WatchedStore(LocalStore):
    """Calls `before` with the name of every operation, before it is begun."""

    before: Callable[[str], None] = staticmethod(lambda _: None)

    def put(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> None:
        self.before(f"put {key}")
        super().put(key, data, content_type)

    def create(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> bool:
        self.before(f"create {key}")
        return super().create(key, data, content_type)

    def get(self, key: str, timeout_s: float | None = None) -> bytes | None:
        self.before(f"get {key}")
        return super().get(key)

    def exists(self, keys: Sequence[str], timeout_s: float | None = None) -> list[bool]:
        self.before("exists")
        return super().exists(keys)

    def list_keys(self, folder: str, timeout_s: float | None = None) -> list[str]:
        self.before(f"list {folder}")
        return super().list_keys(folder)

    def delete(self, keys: Iterable[str], timeout_s: float | None = None) -> None:
        self.before("delete")
        super().delete(keys)


@dataclass
class Place:
    """A service that keeps drawings, and its store."""

    service: AnimationService
    store: WatchedStore

    def character(self) -> StoredCharacter:
        return self.service.create_character(DRAWING).character

    def delete(self, character: StoredCharacter) -> None:
        self.service.characters.delete(character.id, Deadline.after(60))

    def correct(self, character: StoredCharacter, deadline: Deadline) -> None:
        self.service.correct_character(character, NOSE, deadline)

    def animate(self, character: StoredCharacter, deadline: Deadline) -> None:
        wanted = CharacterAnimationRequest(character.id, ("dab", "zombie"), AnimationOptions())
        self.service.animate_character(wanted, deadline=deadline)

    def animate_one_more(self, character: StoredCharacter, deadline: Deadline) -> None:
        wanted = CharacterAnimationRequest(character.id, ("dab",), AnimationOptions())
        self.service.animate_character(wanted, deadline=deadline)
        self.animate(character, deadline)

    def left(self) -> list[Path]:
        return [path for path in self.store.directory.rglob("*") if path.is_file()]


Write = Callable[[Place, StoredCharacter, Deadline], None]
WRITES = pytest.mark.parametrize("write", [Place.correct, Place.animate, Place.animate_one_more])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    store = WatchedStore(tmp_path, "")
    service = AnimationService(
        FigureClient(),
        store,
        CountingRenderer(),
        ThreadExecutor(1),
        decode_limits(Settings()),
        PipelineLimits(),
        keep_uploads=True,
    )
    yield Place(service, store)
    service.close()


def at_call(store: WatchedStore, number: int, act: Callable[[], None]) -> Callable[[], bool]:
    """Let the store act once, before its call of that number; gives what tells whether it has."""
    calls = 0

    def before(_: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number + 1:
            act()

    store.before = before
    return lambda: calls > number


@pytest.mark.parametrize("picture", ["texture", "mask", "overlay", "sheet", "00000001"])
def test_what_cannot_be_kept_whole_is_not_kept(place: Place, picture: str) -> None:
    """Nobody is told the id of a character that could not be stored: nothing of it stays."""

    def fail(operation: str) -> None:
        if operation.startswith(("put", "create")) and f"/{picture}" in operation:
            raise StorageError("away")

    place.store.before = fail
    with pytest.raises(StorageError, match="away"):
        place.character()
    assert place.left() == []


def test_a_character_whose_client_leaves_is_not_kept(place: Place) -> None:
    """Whenever it leaves; what others have made of the same drawing stays."""
    place.service.animate(AnimationRequest(DRAWING, ("dab",), AnimationOptions()))
    animation = place.left()
    for number in range(5):
        deadline = Deadline.after(60)
        acted = at_call(place.store, number, deadline.cancel)
        with pytest.raises(CancelledError):
            place.service.create_character(DRAWING, deadline=deadline)
        assert acted()
        assert place.left() == animation


@WRITES
def test_deleting_takes_what_is_written_meanwhile(place: Place, write: Write) -> None:
    """A correction, or a render, goes by whole at every moment of a deletion: nothing stays."""
    for number in range(100):
        character = place.character()

        def written(character: StoredCharacter = character) -> None:
            with suppress(AnimationError):
                write(place, character, Deadline.after(60))

        acted = at_call(place.store, number, written)
        place.delete(character)
        assert place.left() == []
        if not acted():
            break
    assert 4 < number < 99


@WRITES
@pytest.mark.parametrize("leaves", [False, True])
def test_what_is_written_meanwhile_goes_with_the_character(place: Place, write: Write, leaves: bool) -> None:
    """A deletion goes by whole at every moment of a correction, or a render; cancelled then or not."""
    for number in range(100):
        character, deadline = place.character(), Deadline.after(60)

        def delete(character: StoredCharacter = character, deadline: Deadline = deadline) -> None:
            place.delete(character)
            if leaves:
                deadline.cancel()

        acted = at_call(place.store, number, delete)
        with suppress(AnimationError):
            write(place, character, deadline)
        if not acted():
            break
        assert place.left() == []
    assert 4 < number < 99


def test_what_is_stored_already_is_asked_for_once(place: Place) -> None:
    """Where nothing is made nothing can be left behind: the store is not asked again for the character."""
    character = place.character()
    place.animate(character, Deadline.after(60))
    asked: list[str] = []
    place.store.before = asked.append
    place.animate(character, Deadline.after(60))
    assert [operation.split()[0] for operation in asked] == ["list", "get", "exists"]

"""Batches: what they are of, what they remember, and what they do when something breaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animation_server.animate import AnimationOptions
from animation_server.batch import by_jobs as by_jobs_module
from animation_server.batch.by_jobs import BatchByJobs
from animation_server.batch.inputs import BatchInput, find_inputs, name_all, take_share
from animation_server.batch.journal import Journal
from animation_server.cli import main
from animation_server.cli.libraries import LIBRARIES
from animation_server.errors import InputError, NoFigureError, OverloadedError, StorageError
from animation_server.jobs.engine import JobEngine
from animation_server.jobs.in_process import InProcessQueue
from animation_server.jobs.job import Job, JobRequest, JobResult
from animation_server.jobs.records import MemoryRecords
from animation_server.motion.library import LIBRARY
from animation_server.storage.keys import is_key
from animation_server.storage.local import LocalStore
from tests.drawings import BLANK, DRAWING
from tests.fakes import GIF
from tests.parts.process import running, wait_until
from tests.places import SAMPLE

FORGOTTEN = b"an image whose animation is lost"


def write(place: Path, content: bytes = DRAWING) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def names(inputs: list[BatchInput]) -> list[str]:
    return [item.name for item in inputs]


# Inputs


def test_finds_the_drawings_of_folders(tmp_path: Path) -> None:
    """Pictures at any depth, by their place; not hidden ones, other files, nor what the batch wrote."""
    for place in ("a.jpg", "class b/my drawing (1).PNG", ".hidden/c.png", ".d.png", "notes.txt", "out/e.png"):
        write(tmp_path / place)
    assert names(find_inputs([tmp_path], tmp_path / "out")) == ["a", "class_b/my_drawing_1_"]


def test_takes_files_that_are_named(tmp_path: Path) -> None:
    """Whatever they are called; one that is not there is an error, as is a folder without drawings."""
    assert names(find_inputs([write(tmp_path / "scan.data")])) == ["scan"]
    with pytest.raises(InputError, match="there is none"):
        find_inputs([tmp_path / "missing.png"])
    with pytest.raises(InputError, match="expected drawings"):
        find_inputs([tmp_path])


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    """Drawings whose names would be equal get different ones, the same on every machine."""
    for folder in ("one", "two"):
        for place in ("a.jpg", "a.png", "A.webp", "b.png"):
            write(tmp_path / folder / place)
    found = names(find_inputs([tmp_path / "one"]))
    assert found == names(find_inputs([tmp_path / "two"]))
    assert len({name.lower() for name in found}) == 4
    assert "b" in found


def test_equal_places_in_several_folders_are_told_apart(tmp_path: Path) -> None:
    """Cameras count from one: no drawing takes another's folder, whatever else is given and in what order."""
    folders = [tmp_path / name for name in ("A", "B", "C")]
    for folder in folders:
        write(folder / "IMG_0001.jpg")
    found = {item.path: item.name for item in find_inputs(folders)}
    assert len({name.lower() for name in found.values()}) == 3
    assert {item.path: item.name for item in find_inputs(folders[::-1])} == found
    named = [folder / "IMG_0001.jpg" for folder in folders[1:]]
    assert {item.path: item.name for item in find_inputs(named)} == {path: found[path] for path in named}


def test_a_name_with_a_digest_may_be_taken(tmp_path: Path) -> None:
    """A drawing that is called as another would be with its digest does not take that one's folder."""
    for place in ("a.jpg", "a.png"):
        write(tmp_path / place)
    write(tmp_path / f"{names(find_inputs([tmp_path]))[0]}.png")
    assert len(set(names(find_inputs([tmp_path])))) == 3


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), max_size=4))
def test_every_name_is_a_key(parts: list[str]) -> None:
    """Whatever files and folders are called, their names can be stored and are told apart."""
    places = [Path(*parts, "x.png"), Path(*parts, "x.jpg")]
    made = name_all({folder / place: place for folder in (Path("A"), Path("B")) for place in places})
    assert len(set(made)) == 4
    assert all(is_key(f"{name}/done.json") for name in made if len(name) < 400)


@given(st.integers(1, 50), st.integers(1, 9))
def test_shares_make_up_the_whole(total: int, count: int) -> None:
    """Every drawing is in one share, and no share is much larger than another."""
    inputs = [BatchInput(Path(str(number)), str(number)) for number in range(total)]
    shares = [take_share(inputs, index, count) for index in range(count)]
    assert sorted(item.name for share in shares for item in share) == sorted(names(inputs))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


# The journal


def test_remembers_what_was_made_of_what(tmp_path: Path) -> None:
    """Another image or another recipe is not done; nor is what a damaged entry speaks of."""
    store, item = LocalStore(tmp_path, ""), BatchInput(Path("a.png"), "a")
    journal = Journal(store, {"motion": "dab"})
    digest = journal.digest(b"image")
    assert not journal.is_done(item, digest)
    journal.write(item, digest, {"dab": "dab.gif"})
    assert Journal(store, {"motion": "dab"}).is_done(item, digest)
    assert not journal.is_done(item, journal.digest(b"another"))
    assert Journal(store, {"motion": "wave"}).digest(b"image") != digest
    for damaged in (b"", b"[]", b"null", b'{"made_of": 1}', b"\xff"):
        (tmp_path / "a" / "done.json").write_bytes(damaged)
        assert not journal.is_done(item, digest)


# By jobs


@pytest.fixture
def by_jobs(tmp_path: Path) -> Iterator[BatchByJobs]:
    """A batch whose jobs are worked on in this process, two at a time: a blank sheet shows no figure."""
    made, output = LocalStore(tmp_path / "made", ""), LocalStore(tmp_path / "out", "")

    def work(image: bytes) -> JobResult:
        if image == BLANK:
            raise NoFigureError("Expected a figure.")
        if image != FORGOTTEN:
            made.put("drawing/dab-1.gif", GIF, "image/gif")
        return JobResult("drawing", {"dab": "drawing/dab-1.gif"})

    records = MemoryRecords(60)
    queue = InProcessQueue(
        lambda request, image, meter, deadline: work(image), records, 1, 1, 10, most_bytes=10**6
    )
    engine = JobEngine(records, queue)
    yield BatchByJobs(JobRequest(("dab",), AnimationOptions()), engine, made, output, Journal(output, {}))
    engine.close()


def test_jobs_of_a_batch(by_jobs: BatchByJobs, tmp_path: Path) -> None:
    """All are made though the queue holds but two; failures are told; a second run makes nothing."""
    items = [BatchInput(write(tmp_path / f"{n}.png", DRAWING + bytes([n])), f"d{n}") for n in range(6)]
    items += [BatchInput(write(tmp_path / "blank.png", BLANK), "blank")]
    items += [BatchInput(tmp_path / "gone.png", "gone")]
    outcomes = {outcome.item.name: outcome for outcome in by_jobs.make(items)}
    good = {f"d{n}" for n in range(6)}
    assert {name for name, outcome in outcomes.items() if outcome.state == "done"} == good
    assert (outcomes["blank"].code, outcomes["blank"].may_pass) == ("no_figure", False)
    assert outcomes["gone"].state == "failed"
    assert all((tmp_path / "out" / name / "dab.gif").read_bytes() == GIF for name in good)
    again = {outcome.item.name: outcome.state for outcome in by_jobs.make(items)}
    assert again == {name: "skipped" if name in good else "failed" for name in outcomes}


def test_waits_while_others_fill_the_queue(
    by_jobs: BatchByJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drawing that is turned away comes again after a pause, also where nothing else is under way."""
    submit, happened = by_jobs.engine.submit, list[str]()

    def turn_away_twice(request: JobRequest, image: bytes) -> Job:
        happened.append("handed in")
        if happened.count("handed in") <= 2:
            raise OverloadedError("full")
        return submit(request, image)

    monkeypatch.setattr(by_jobs.engine, "submit", turn_away_twice)
    monkeypatch.setattr(by_jobs_module, "time", SimpleNamespace(sleep=lambda _: happened.append("paused")))
    (outcome,) = by_jobs.make([BatchInput(write(tmp_path / "a.png"), "a")])
    assert outcome.state == "done"
    assert happened[:5] == ["handed in", "paused"] * 2 + ["handed in"]


def test_what_is_not_there_is_not_done(by_jobs: BatchByJobs, tmp_path: Path) -> None:
    """What cannot be taken into the output is not noted as done."""
    with pytest.raises(StorageError):
        list(by_jobs.make([BatchInput(write(tmp_path / "a.png", FORGOTTEN), "a")]))
    assert not (tmp_path / "out" / "a").exists()


# The command


@pytest.fixture
def drawings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four drawings."""
    for name, value in LIBRARIES.items():  # the command sets them for its processes; here they are set back
        monkeypatch.setenv(name, value)
    for number in range(4):
        write(tmp_path / "in" / f"{number}.jpg", SAMPLE.read_bytes() + bytes([number]))
    return tmp_path / "in"


def command(drawings: Path, *more: str) -> list[str]:
    begin = [
        sys.executable,
        "-m",
        "animation_server.cli",
        "batch",
        str(drawings),
        "-o",
        str(output(drawings)),
    ]
    return [*begin, "--motion", "dab", "--size", "64", "--frames", "10", *more]


def output(drawings: Path) -> Path:
    return drawings.parent / "out"


def run_command(drawings: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(command(drawings, *more), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("place", "status", "said"),
    [("s3://", 3, "expected s3://BUCKET"), ("{file}", 4, "cannot write"), ("{file}/out", 4, "cannot write")],
)
def test_an_unfit_output_is_told_at_once(
    drawings: Path, capsys: pytest.CaptureFixture[str], place: str, status: int, said: str
) -> None:
    """One line, before anything is worked on."""
    place = place.format(file=write(drawings.parent / "file"))
    assert main(["batch", str(drawings), "-o", place, "--motion", "dab"]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_motions_of_one_name_are_told_at_once(
    drawings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each drawing has one file a name, so one of the two would be lost."""
    (tmp_path / "dab.bvh").write_bytes((LIBRARY / "dab.bvh").read_bytes())
    motions = ["--motion", "dab", "--motion", str(tmp_path / "dab.bvh")]
    assert main(["batch", str(drawings), "-o", str(output(drawings)), *motions, "--workers", "1"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "two called dab" in line


@pytest.mark.parametrize("share", ["2/2", "1", "a/b", "-1/2", "0/0"])
def test_shares_that_are_none(drawings: Path, share: str) -> None:
    """A share that would leave drawings out is a mistake of usage."""
    with pytest.raises(SystemExit) as refused:
        main(["batch", str(drawings), "-o", str(output(drawings)), "--share", share])
    assert refused.value.code == 2


@pytest.mark.slow
def test_makes_what_is_missing(drawings: Path) -> None:
    """All that can be made, by two processes; what cannot is named, and the exit status says so."""
    write(drawings / "bad.png", b"no image")
    status, said = run_command(drawings, "--workers", "2")
    assert (status, said.splitlines()[0]) == (3, "4 made, 0 made before, 1 failed"), said
    assert f"{drawings / 'bad.png'}: unsupported_media_type: " in said
    made = {path: path.stat().st_mtime_ns for path in output(drawings).rglob("*.gif")}
    assert sorted(str(path.relative_to(output(drawings))) for path in made) == [
        f"{n}/dab.gif" for n in range(4)
    ]
    (drawings / "bad.png").unlink()
    assert run_command(drawings, "--workers", "1") == (0, "0 made, 4 made before, 0 failed\n")
    assert {path: path.stat().st_mtime_ns for path in output(drawings).rglob("*.gif")} == made


@pytest.mark.slow
def test_goes_on_after_a_kill(drawings: Path, tmp_path: Path) -> None:
    """A process of the batch killed: nothing is lost. The whole batch killed: started again, it goes on."""
    log = tmp_path / "batch.log"
    with running("batch", command(drawings, "--workers", "1"), log) as process:
        entries = output(drawings)
        wait_until(lambda: any(entries.rglob("done.json")), "the first drawing", process, log, 60)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = len(list(entries.rglob("done.json")))
    with running("batch", command(drawings, "--workers", "1"), log) as process:
        wait_until(lambda: bool(workers_of(process.pid)), "a worker process", process, log, 60)
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        assert process.wait(120) == 0
    assert f"{4 - done} made, {done} made before, 0 failed" in log.read_text()
    assert len(list(entries.rglob("done.json"))) == 4


def workers_of(pid: int) -> list[int]:
    """Name the processes that a batch has started to make drawings."""
    ps = ["ps", "-ww", "-o", "pid=", "-o", "args=", "--ppid", str(pid)]
    listed = subprocess.run(ps, capture_output=True, text=True, check=False)
    lines = [line.split(None, 1) for line in listed.stdout.splitlines()]
    return [int(line[0]) for line in lines if "spawn_main" in line[1]]

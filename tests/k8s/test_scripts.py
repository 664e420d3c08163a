"""The scripts for a cluster's operator, against a kubectl that writes down what it is told."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts.manifests import K8S

KUBECTL = f'''#!{sys.executable}
"""Writes calls down and answers by the file beside it; what runs in a container runs here, in a folder."""
import json, pathlib, subprocess, sys
home = pathlib.Path(__file__).parent
call = sys.argv[1:]
assert call[:1] == ["--namespace"], call
call = call[2:]
with (home / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
if call[0] == "exec" and "python" not in call:
    command = [part.replace("/tmp/", f"{{home}}/") for part in call[call.index("--") + 1 :]]
    sys.exit(subprocess.run(command, stdin=sys.stdin if "--stdin" in call else subprocess.DEVNULL).returncode)
for beginning, status, words in json.loads((home / "answers").read_text()):
    if call[: len(beginning)] == beginning:
        print(words)
        sys.exit(status)
'''

Answer = tuple[list[str], int, str]
NO_ROUTE: Answer = (["get", "httproute"], 1, "")
IMAGE: Answer = (["get", "deployment/animation-server-canary"], 0, "registry/torchserve-model:2-cpu")


def replicas(stable: int, canary: int) -> list[Answer]:
    """How many pods the two Deployments are told to have."""
    return [
        (["get", "deployment/animation-server"], 0, str(stable)),
        (["get", "deployment/animation-server-canary"], 0, str(canary)),
    ]


@dataclass(frozen=True)
class Kubectl:
    """Where the recorder lies, which is also what containers have as /tmp."""

    home: Path

    def run(self, script: str, *arguments: str, answers: list[Answer]) -> subprocess.CompletedProcess[str]:
        """Run one of our scripts with it."""
        (self.home / "answers").write_text(json.dumps(answers))
        environ = {"PATH": f"{self.home}:{os.environ['PATH']}"}
        command = [str(K8S / script), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        """What it was told, a line a call."""
        return [shlex.join(json.loads(line)) for line in (self.home / "calls").read_text().splitlines()]


@pytest.fixture(name="kubectl")
def _kubectl(tmp_path: Path) -> Kubectl:
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    (tmp_path / "calls").touch()
    return Kubectl(tmp_path)


@pytest.mark.parametrize(
    ("pods", "percent", "share"),
    [(4, 20, 1), (4, 50, 4), (8, 20, 2), (2, 10, 1), (9, 10, 1), (3, 0, 0), (2, 75, 6)],
)
def test_the_share_of_pods_is_the_share_of_requests(
    kubectl: Kubectl, pods: int, percent: int, share: int
) -> None:
    """To the nearest pod, and at least one while a share is asked for."""
    answers = [NO_ROUTE, (["get", "deployment/animation-server"], 0, str(pods))]
    done = kubectl.run("canary.sh", "weight", str(percent), answers=answers)
    assert done.returncode == 0, done.stderr
    assert f"scale deployment/animation-server-canary --replicas {share}" in kubectl.calls()


@pytest.mark.parametrize(
    ("now", "percent", "share", "first"),
    [(0, 7, 1, "scale"), (0, 50, 4, "scale"), (4, 20, 1, "patch"), (1, 0, 0, "patch")],
)
def test_behind_a_route_pods_follow_the_requests(
    kubectl: Kubectl, now: int, percent: int, share: int, first: str
) -> None:
    """The canary gets its share of pods, too: before its requests come, and until they have gone."""
    done = kubectl.run("canary.sh", "weight", str(percent), answers=replicas(stable=4, canary=now))
    assert done.returncode == 0, done.stderr
    assert f"scale deployment/animation-server-canary --replicas {share}" in kubectl.calls()
    verbs = [call.split()[0] for call in kubectl.calls() if call.startswith(("scale", "patch"))]
    assert sorted(verbs) == ["patch", "scale"]
    assert verbs[0] == first


def test_no_request_is_sent_to_a_version_that_does_not_come_up(kubectl: Kubectl) -> None:
    """The route stays as it was where the canary's pods are not ready in time, or there is none."""
    not_ready: Answer = (["rollout", "status"], 1, "")
    none: Answer = (["get", "deployment/animation-server-canary"], 1, "")
    for answer in (not_ready, none):
        assert kubectl.run("canary.sh", "weight", "7", answers=[answer, *replicas(4, 0)]).returncode == 1
    assert not any(call.startswith("patch") for call in kubectl.calls())


def test_a_route_weighs_exactly(kubectl: Kubectl) -> None:
    """Where there is a route its weights are the share asked for, whatever the pods come to."""
    done = kubectl.run("canary.sh", "weight", "7", answers=replicas(stable=4, canary=0))
    assert done.returncode == 0, done.stderr
    (patch,) = [shlex.split(call)[-1] for call in kubectl.calls() if call.startswith("patch")]
    ((change),) = json.loads(patch)
    assert {backend["name"]: backend["weight"] for backend in change["value"]} == {
        "animation-server-stable": 93,
        "animation-server-canary": 7,
    }


@pytest.mark.parametrize("words", [["weight", "100"], ["weight", "x"], ["weight"], [], ["launch"]])
def test_what_is_not_understood_changes_nothing(kubectl: Kubectl, words: list[str]) -> None:
    """Usage, and not one call."""
    assert kubectl.run("canary.sh", *words, answers=[]).returncode == 2
    assert kubectl.calls() == []


def test_promotion_waits_for_the_new_version_before_the_canary_leaves(kubectl: Kubectl) -> None:
    """The old pods get the canary's image; once they have it, the canary leaves."""
    done = kubectl.run("canary.sh", "promote", answers=[IMAGE, NO_ROUTE])
    assert done.returncode == 0, done.stderr
    verbs = [call.split()[0] for call in kubectl.calls() if not call.startswith("get")]
    assert verbs == ["set", "rollout", "delete"]
    assert (
        "set image deployment/animation-server torchserve=registry/torchserve-model:2-cpu" in kubectl.calls()
    )


def test_a_promotion_that_fails_leaves_the_canary(kubectl: Kubectl) -> None:
    """The new version does not come up: status 1, how to go back, and nothing is deleted."""
    done = kubectl.run("canary.sh", "promote", answers=[IMAGE, NO_ROUTE, (["rollout", "status"], 1, "")])
    assert done.returncode == 1
    assert "rollout undo" in done.stderr
    assert not any(call.startswith("delete") for call in kubectl.calls())


def test_rollback_turns_requests_away_from_the_canary_before_it_leaves(kubectl: Kubectl) -> None:
    """First the route, then the pods."""
    assert kubectl.run("canary.sh", "rollback", answers=[]).returncode == 0
    verbs = [call.split()[0] for call in kubectl.calls() if not call.startswith("get")]
    assert verbs == ["patch", "delete"]


def test_models_are_swapped_in_every_pod(kubectl: Kubectl, tmp_path: Path) -> None:
    """The archives arrive whole in each pod, are swapped there, and are cleaned up."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "a.mar").write_bytes(bytes(range(256)) * 9)
    (models / "b.mar").write_bytes(b"b")
    done = kubectl.run("swap-model.sh", str(models), answers=[(["get", "pods"], 0, "one two")])
    assert done.returncode == 0, done.stderr
    swaps = [call for call in kubectl.calls() if "torchserve_model.swap" in call]
    assert [call.split()[1] for call in swaps] == ["one", "two"]
    assert all(
        "/tmp/incoming/a.mar /tmp/incoming/b.mar --store /tmp/torchserve/store" in call for call in swaps
    )
    assert not (tmp_path / "incoming").exists()


def test_a_swap_that_fails_stops_before_the_next_pod(kubectl: Kubectl, tmp_path: Path) -> None:
    """A version that does not start in one pod is not tried in others; its archives were whole."""
    archive = tmp_path / "a.mar"
    archive.write_bytes(bytes(range(256)) * 9)
    swap = ["exec", "one", "--container", "torchserve", "--", "python"]
    answers = [(["get", "pods"], 0, "one two"), (swap, 1, "")]
    assert kubectl.run("swap-model.sh", str(tmp_path), answers=answers).returncode == 1
    assert not any("two" in call.split() for call in kubectl.calls())
    assert (tmp_path / "incoming" / "a.mar").read_bytes() == archive.read_bytes()

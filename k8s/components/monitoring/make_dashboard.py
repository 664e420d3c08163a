"""Writes dashboard.json beside it: Grafana's, one row of panels after the other.

python k8s/components/monitoring/make_dashboard.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WIDTH = 24
"""Columns of Grafana's grid."""

HEIGHT = 8
MINE = 'namespace=~"$namespace"'
DRAWING = f'route="/v1/animations",{MINE}'
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Panel = dict[str, Any]


def per_second(metric: str, by: str = "", labels: str = MINE) -> str:
    """Events a second, all together or by a label."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{labels}}}[$__rate_interval]))"


def mean(total: str, count: str, by: str) -> str:
    """What one event came to, from two counters."""
    return f"{per_second(total, by)} / {per_second(count, by)}"


def quantile(share: float, metric: str, labels: str = MINE, by: str = "") -> str:
    """A quantile of a histogram."""
    buckets = per_second(f"{metric}_bucket", f"le, {by}" if by else "le", labels)
    return f"histogram_quantile({share}, {buckets})"


def panel(
    title: str, unit: str, queries: dict[str, str], about: str, *, kind: str = "timeseries", **more: Any
) -> Panel:
    """Make a panel.

    unit : as Grafana calls it. queries : legend -> expression. more : fields of its defaults.
    """
    targets = [
        {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        for number, (legend, expression) in enumerate(queries.items())
    ]
    custom: dict[str, Any] = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    if more.pop("stacked", False):
        custom |= {"stacking": {"mode": "normal"}, "fillOpacity": 40}
    defaults = {"unit": unit, "min": 0, **({"custom": custom} if kind == "timeseries" else {}), **more}
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"tooltip": {"mode": "multi", "sort": "desc"}} if kind == "timeseries" else {},
    }


def limits(*steps: tuple[float | None, str]) -> dict[str, Any]:
    """Colours from values on; None for the lowest."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def clients() -> list[Panel]:
    """What clients notice."""
    answered, duration = "animation_requests_total", "animation_request_duration_seconds"
    posted = f'{MINE},method="POST"'
    failed = f'{posted},status=~"5.."'
    return [
        panel(
            "Requests",
            "reqps",
            {"{{status}}": per_second(answered, "status")},
            "Answers a second, by status.",
            stacked=True,
        ),
        panel(
            "Drawings: time to the answer",
            "s",
            {
                "median": quantile(0.5, duration, DRAWING),
                "95 %": quantile(0.95, duration, DRAWING),
                "99 %": quantile(0.99, duration, DRAWING),
            },
            "POST /v1/animations, stored ones included. A median of 1.5 s is promised at rest.",
        ),
        panel(
            "Failed",
            "percentunit",
            {
                "of POST": f"({per_second(answered, labels=failed)} or vector(0))"
                f" / {per_second(answered, labels=posted)}"
            },
            "Share of POST requests answered 5xx; 503 of a busy server included.",
            kind="stat",
            thresholds=limits((None, "green"), (0.01, "orange"), (0.05, "red")),
        ),
        panel(
            "Errors by code",
            "reqps",
            {"{{code}}": per_second("animation_errors_total", "code")},
            "As clients are told.",
            stacked=True,
        ),
        panel(
            "Under way",
            "short",
            {
                "requests": f"sum(animation_requests_in_flight{{{MINE}}})",
                "being rendered or waiting": f"sum(animation_queue_depth{{{MINE}}})",
                "places": f"sum(animation_queue_capacity{{{MINE}}})",
            },
            "Where the second meets the third, requests are turned away with 503.",
        ),
        panel(
            "Failed, canary and stable",
            "percentunit",
            {
                "{{animation_track}}": f"{per_second(answered, 'animation_track', failed)}"
                f" / {per_second(answered, 'animation_track', posted)}"
            },
            "Share of POST requests answered 5xx, by the pods' label animation/track.",
        ),
    ]


def work() -> list[Panel]:
    """Where the time goes, and what for."""
    stage = "animation_stage_duration_seconds"
    return [
        panel(
            "Work by stage",
            "short",
            {"{{stage}}": per_second(f"{stage}_sum", "stage")},
            "Seconds of work a second: threads kept busy. Detect, pose and store also wait for others.",
            stacked=True,
        ),
        panel(
            "A stage's time, 95 %",
            "s",
            {"{{stage}}": quantile(0.95, stage, by="stage")},
            "One run of a stage: the whole drawing, or one motion of it.",
        ),
        panel(
            "Animations",
            "ops",
            {"{{source}}": per_second("animation_delivered_total", "source")},
            "Handed out: rendered for the request, shared with an equal one, or stored before.",
            stacked=True,
        ),
        panel(
            "Drawings by models",
            "ops",
            {"{{models}} {{outcome}}": per_second("animation_annotated_total", "models, outcome")},
            "What the models made of them, by their version: compare canary and stable.",
        ),
        panel(
            "Jobs",
            "ops",
            {"{{state}}": per_second("animation_jobs_total", "state")},
            "Jobs that entered a state.",
        ),
        panel(
            "Jobs that wait",
            "short",
            {"waiting": f"max(animation_jobs_waiting{{{MINE}}})"},
            "In the queue, as seen at the last scrape.",
        ),
    ]


def dependencies() -> list[Panel]:
    """What the server leans on."""
    predictions = "ts_inference_requests_total"
    return [
        panel(
            "Answers",
            "short",
            {"{{dependency}}": f"min by (dependency) (animation_dependency_up{{{MINE}}})"},
            "1: the last call of every process succeeded.",
            kind="stat",
            thresholds=limits((None, "red"), (1, "green")),
        ),
        panel(
            "Calls, 95 %",
            "s",
            {
                "{{dependency}} {{operation}}": quantile(
                    0.95, "animation_dependency_duration_seconds", by="dependency, operation"
                )
            },
            "Time of a call, retries included.",
        ),
        panel(
            "Failed calls",
            "ops",
            {
                "{{dependency}} {{code}}": per_second(
                    "animation_dependency_failures_total", "dependency, code"
                )
            },
            "After all retries.",
            stacked=True,
        ),
        panel(
            "Retries and recoveries",
            "ops",
            {
                "{{dependency}} asked again": per_second("animation_dependency_retries_total", "dependency"),
                "{{dependency}} is back": per_second("animation_dependency_recoveries_total", "dependency"),
            },
            "Faults that healed.",
        ),
        panel(
            "TorchServe: a prediction",
            "µs",
            {
                "{{model_name}}": mean("ts_inference_latency_microseconds", predictions, "model_name"),
                "{{model_name}} waiting": mean("ts_queue_latency_microseconds", predictions, "model_name"),
            },
            "Mean, as TorchServe tells it.",
        ),
        panel(
            "TorchServe: answers",
            "reqps",
            {name: per_second(f"Requests{name.upper()}") for name in ("2xx", "4xx", "5xx")},
            "Of all its addresses; probes are among the 2xx.",
            stacked=True,
        ),
    ]


def machines() -> list[Panel]:
    """What all this costs the machines."""
    ours = f"and on (instance) animation_build_info{{{MINE}}}"
    gpu = '{exported_container="torchserve"}'
    return [
        panel(
            "Memory of a process",
            "bytes",
            {"{{pod}} {{pid}}": f"process_resident_memory_bytes {ours}"},
            "350 MB is expected at work; it stays flat.",
        ),
        panel(
            "Cores in use",
            "short",
            {"{{pod}}": f"sum by (pod) (rate(process_cpu_seconds_total[$__rate_interval]) {ours})"},
            "Of all processes of a pod's server or worker.",
        ),
        panel(
            "Open files",
            "percentunit",
            {"{{pod}}": f"max by (pod) (process_open_fds / process_max_fds {ours})"},
            "Share of what a process may open.",
        ),
        panel(
            "Processes started",
            "short",
            {"{{pod}}": f"sum by (pod) (increase(animation_processes_started_total{{{MINE}}}[1h]))"},
            "In an hour; more than at a rollout means that processes die.",
        ),
        panel(
            "Versions",
            "short",
            {
                "{{role}} {{version}}, renderer {{renderer}}": (
                    f"count by (role, version, renderer) (animation_build_info{{{MINE}}})"
                )
            },
            "Pods that run each.",
        ),
        panel(
            "GPU in use", "percent", {"{{gpu}}": f"DCGM_FI_DEV_GPU_UTIL{gpu}"}, "From NVIDIA's DCGM exporter."
        ),
        panel(
            "GPU memory",
            "decmbytes",
            {"{{gpu}}": f"DCGM_FI_DEV_FB_USED{gpu}"},
            "From NVIDIA's DCGM exporter.",
        ),
    ]


def variables() -> list[dict[str, Any]]:
    """What is chosen at the top of the page."""
    namespace = {
        "type": "query",
        "name": "namespace",
        "label": "Namespace",
        "datasource": SOURCE,
        "query": "label_values(animation_build_info, namespace)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    return [
        {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"},
        namespace,
    ]


def laid_out(rows: dict[str, list[Panel]]) -> list[Panel]:
    """Give every panel its place, three beside each other."""
    panels: list[Panel] = []
    top = 0
    for title, row in rows.items():
        place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []})
        top += 1
        for number, content in enumerate(row):
            column = number % 3
            place = {"x": column * WIDTH // 3, "y": top, "w": WIDTH // 3, "h": HEIGHT}
            panels.append({**content, "gridPos": place})
            top += HEIGHT if column == 2 or number == len(row) - 1 else 0
    return [{"id": number, **content} for number, content in enumerate(panels, 1)]


def dashboard() -> dict[str, Any]:
    """Build the whole dashboard."""
    rows = {
        "What clients notice": clients(),
        "Where the time goes": work(),
        "What the server leans on": dependencies(),
        "Machines": machines(),
    }
    return {
        "uid": "drawing-animation",
        "title": "Drawing animation",
        "tags": ["drawing-animation"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": variables()},
        "panels": laid_out(rows),
    }


if __name__ == "__main__":
    (HERE / "dashboard.json").write_text(json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n")

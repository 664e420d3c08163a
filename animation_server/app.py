"""The Flask app, and the only place where the parts are wired together."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

from flask import Flask, Request

from animation_server.api import animations, characters, health, jobs, motions, studio
from animation_server.api.access import register_access
from animation_server.api.cors import register_cors
from animation_server.api.early_refusal import register_early_refusal
from animation_server.api.errors import register_error_handlers
from animation_server.api.metrics import register_metrics
from animation_server.api.objects import objects_blueprint
from animation_server.api.openapi import register_openapi
from animation_server.api.parts import Parts, attach
from animation_server.api.request_log import register_request_log
from animation_server.api.uploads import UploadLimits, bound_uploads
from animation_server.concurrency import Executor, make_executor, usable_cores
from animation_server.drawing import DecodeLimits
from animation_server.errors import SettingsError
from animation_server.inference.contract import InferenceClient
from animation_server.inference.torchserve_http import HttpPeer
from animation_server.jobs.engine import JobEngine
from animation_server.jobs.in_process import InProcessQueue
from animation_server.jobs.making import make_with
from animation_server.jobs.records import MemoryRecords
from animation_server.jobs.watched_records import WatchedRecords
from animation_server.service.pipeline import AnimationService, PipelineLimits
from animation_server.settings import Settings
from animation_server.storage import ObjectStore
from animation_server.telemetry.metrics import Metrics
from animation_server.telemetry.observer import Observer

FORM_BYTES = 64 * 1024
"""What a request may hold beside its image."""


class App(Flask):
    """Flask, whose own line about a bug would name the path: ids in paths are rights."""

    def log_exception(self, exc_info: Any) -> None:
        """Log what failed beside the views."""
        self.logger.error("unexpected exception", exc_info=exc_info)


class InMemoryRequest(Request):
    """Keeps uploads in memory: children's drawings do not belong in temporary files."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        # Werkzeug's hook for this; how much comes is bounded by MAX_CONTENT_LENGTH.
        return BytesIO()


def create_app(settings: Settings | None = None, service: AnimationService | None = None) -> Flask:
    """Make the app.

    settings : None to read them from the environment. service : None to make it as the settings say.
    """
    settings = Settings.from_environ() if settings is None else settings
    metrics = Metrics(settings.max_queue)
    service = make_service(settings, metrics) if service is None else service
    unknown = set(settings.motions) - set(service.renderer.motions)
    if unknown:
        known = ", ".join(service.renderer.motions)
        raise SettingsError(f"ANIMATION_MOTIONS: expected motions among {known}; came {', '.join(unknown)}")
    app = App("animation_server", static_folder=None)
    app.request_class = InMemoryRequest
    # Base64 is longer than what it holds by a third; the image's own limit is checked where it is decoded.
    largest = settings.max_image_bytes * 4 // 3 + FORM_BYTES
    app.config["MAX_CONTENT_LENGTH"] = largest
    uploads = UploadLimits(settings.upload_timeout_s, settings.max_upload_memory, largest)
    app.wsgi_app = bound_uploads(app.wsgi_app, uploads)  # type: ignore[assignment, method-assign]
    engine = make_jobs(settings, service, metrics)
    attach(app, Parts(settings, service, engine))
    register_request_log(app)
    metrics.runs("server", service.renderer.version)
    register_metrics(app, metrics, engine, torchserve_metrics(settings))
    register_access(app, settings)
    register_early_refusal(app)
    register_error_handlers(app)
    register_cors(app, settings.cors_origins)
    app.url_map.merge_slashes = False  # an address is right or it is not; no redirects
    for part in (animations, characters, motions, jobs, health):
        app.register_blueprint(part.blueprint)
    if settings.studio:
        app.register_blueprint(studio.blueprint)
    if settings.storage == "local":
        app.register_blueprint(objects_blueprint(settings.local_dir.absolute()))
    register_openapi(app)
    return app


def make_service(settings: Settings, observer: Observer | None = None) -> AnimationService:
    """Wire the parts that the settings name. observer : is told of what they do."""
    from animation_server.service.library_renderer import LibraryRenderer

    executor = make_executor(settings.render_threads)
    return AnimationService(
        client=make_inference_client(settings, executor, observer),
        store=make_store(settings, executor, observer),
        renderer=LibraryRenderer(),
        executor=executor,
        decode_limits=decode_limits(settings),
        limits=PipelineLimits(settings.max_queue, settings.request_deadline_s),
        key_salt=settings.key_salt.get_secret_value(),
        observer=observer,
        keep_uploads=settings.keep_uploads,
    )


def make_jobs(settings: Settings, service: AnimationService, observer: Observer) -> JobEngine | None:
    """Make the engine of jobs that the settings name; None where there are to be no jobs.

    Raises SettingsError where Celery has no Redis.
    """
    if settings.jobs == "celery":
        from animation_server.jobs.celery_queue import CeleryQueue, make_celery
        from animation_server.jobs.redis_records import RedisRecords

        url = settings.redis_url.get_secret_value()
        if not url:
            raise SettingsError("ANIMATION_JOBS: celery expects ANIMATION_REDIS_URL, which is not set")
        shared = RedisRecords(url, settings.job_expiry_s)
        app = make_celery(url, settings.job_deadline_s)
        sent_on = CeleryQueue(app, service.store, shared.client, settings.max_jobs)
        return JobEngine(WatchedRecords(shared, observer, "redis"), sent_on)
    if settings.jobs == "off" or settings.workers > 1:  # another process would not know of this one's jobs
        return None
    records = WatchedRecords(MemoryRecords(settings.job_expiry_s), observer)
    queue = InProcessQueue(
        make_with(service),
        records,
        workers=settings.render_threads or usable_cores(),
        most_waiting=settings.max_queue,
        deadline_s=settings.job_deadline_s,
        most_bytes=settings.max_upload_memory,
    )
    return JobEngine(records, queue)


def make_inference_client(
    settings: Settings, executor: Executor, observer: Observer | None = None
) -> InferenceClient:
    """Make the client of whoever runs the models."""
    if settings.inference == "embedded":
        from animation_server.inference.embedded import EmbeddedClient

        return EmbeddedClient(threads=settings.inference_threads, run_native=executor.run_native)
    from animation_server.inference.torchserve import TorchServeAddress, TorchServeClient

    address = TorchServeAddress(
        url=settings.torchserve_url.rstrip("/"),
        grpc_address=settings.torchserve_grpc_address if settings.inference == "torchserve-grpc" else "",
        management_url=settings.torchserve_management_url.rstrip("/"),
        models_version=settings.models_version,
        connect_timeout_s=settings.torchserve_connect_timeout_s,
        read_timeout_s=settings.torchserve_read_timeout_s,
    )
    return TorchServeClient(address, executor.run_io, observer)


def torchserve_metrics(settings: Settings) -> HttpPeer | None:
    """Make what asks TorchServe for its numbers, where the settings say that it tells them."""
    if not settings.torchserve_metrics_url:
        return None
    return HttpPeer(settings.torchserve_metrics_url.rstrip("/"), settings.torchserve_connect_timeout_s)


def make_store(settings: Settings, executor: Executor, observer: Observer | None = None) -> ObjectStore:
    """Make the store that the settings name."""
    if settings.storage == "local":
        from animation_server.storage.local import LocalStore

        return LocalStore(settings.local_dir, settings.base_url)
    from animation_server.storage.s3 import S3Address, S3Store

    address = S3Address(
        bucket=settings.s3_bucket,
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        prefix=settings.s3_prefix,
        urls=settings.s3_urls,
        presigned_expiry_s=settings.s3_presigned_expiry_s,
        public_endpoint_url=settings.s3_public_endpoint_url,
        public_base_url=settings.s3_public_base_url,
        connect_timeout_s=settings.s3_connect_timeout_s,
        read_timeout_s=settings.s3_read_timeout_s,
    )
    return S3Store(address, executor.map_io, observer)


def decode_limits(settings: Settings) -> DecodeLimits:
    """Collect the limits on one image."""
    return DecodeLimits(
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
        max_full_pixels=settings.max_full_pixels,
        working_size=settings.working_size,
    )

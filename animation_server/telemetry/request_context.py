"""Which request the running code works for, so that every log line and every call onwards can name it."""

from __future__ import annotations

from contextvars import ContextVar

REQUEST_ID_HEADER = "X-Request-ID"

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The current request's id, fit for a log and a header; empty outside of requests. Executors carry it over to
their threads.
"""

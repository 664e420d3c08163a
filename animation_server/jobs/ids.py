"""Ids of jobs. Whoever knows one may look at the job and cancel it."""

from __future__ import annotations

import secrets


def new_job_id() -> str:
    """Make an id that nobody guesses: 128 random bits, in hexadecimal."""
    return secrets.token_hex(16)


def log_name(job_id: str) -> str:
    """Name a job in a log, whose readers are not to be let in: enough to tell jobs apart."""
    return job_id[:8]

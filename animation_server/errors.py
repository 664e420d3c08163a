"""Every error the service raises on purpose.

AnimationError
├── InputError            the caller's mistake; carries a stable code and an HTTP status
│   └── NoFigureError     a picture without a figure
├── UnauthorizedError     no API key, or none that is valid
├── SettingsError         the operator's mistake, found at start
├── CapacityError         more was asked of the service than it can do now
│   ├── RateLimitedError  more than this caller may ask for
│   ├── OverloadedError   too many requests are waiting already
│   ├── OutOfMemoryError  the work did not fit into memory
│   └── DeadlineError     the request grew too old
├── CancelledError        whoever asked has left, or cancelled the job
└── DependencyError       a part the service leans on failed; worth trying again later
    ├── InferenceError         the models did not answer as they should
    │   ├── InferenceUnavailableError   down, starting, overloaded or failing
    │   └── InferenceTimeoutError       no answer in time
    ├── StorageError           objects could not be written or read
    └── JobsUnavailableError   jobs could not be handed in or read

Anything else that surfaces is a bug.
"""

from __future__ import annotations


class AnimationError(Exception):
    """Base of all errors raised on purpose."""

    code = "error"
    status = 500


class InputError(AnimationError):
    """What was handed in cannot be used. The message says what was expected and what came.

    code : stable snake_case name for programs.
    status : HTTP status that fits, 400 unless told.
    """

    def __init__(self, message: str, *, code: str = "bad_input", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class NoFigureError(InputError):
    """The picture was read, yet holds no figure that could be animated."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="no_figure", status=422)


class UnauthorizedError(AnimationError):
    """An API key is asked for; none came, or none that is valid."""

    code = "unauthorized"
    status = 401


class SettingsError(AnimationError):
    """The environment holds settings that cannot be used; the message lists all of them."""

    code = "bad_settings"


class CapacityError(AnimationError):
    """More was asked of the service than it can do now; try again after `retry_after_s`."""

    code = "busy"
    status = 503
    retry_after_s = 5


class RateLimitedError(CapacityError):
    """The caller asks more often than it may; it may ask again after `retry_after_s`."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OverloadedError(CapacityError):
    """Too many requests are waiting already; this one was not begun."""


class OutOfMemoryError(CapacityError):
    """The work did not fit into memory beside what else is being done; nothing of it was stored."""

    code = "out_of_memory"


class DeadlineError(CapacityError):
    """The request grew too old before its turn came."""

    code = "deadline_exceeded"
    status = 504


class CancelledError(AnimationError):
    """Whoever asked for this work no longer waits for it. No client sees the status, but the log does."""

    code = "cancelled"
    status = 499


class DependencyError(AnimationError):
    """A part the service leans on failed; the caller may try again after `retry_after_s`."""

    code = "dependency_failed"
    status = 503
    retry_after_s = 5
    public_message = "The models cannot answer just now. Try again later."
    """Said to clients instead of the error's own text, which names addresses inside; that goes to the log."""


class InferenceError(DependencyError):
    """The models did not answer as they should."""

    code = "inference_failed"


class InferenceUnavailableError(InferenceError):
    """The models are down, starting, overloaded or failing."""

    code = "inference_unavailable"


class InferenceTimeoutError(InferenceError):
    """The models did not answer in time."""

    code = "inference_timeout"
    status = 504
    public_message = "The models did not answer in time. Try again later."


class StorageError(DependencyError):
    """Objects could not be stored or read."""

    code = "storage_failed"
    public_message = "The animations cannot be stored or read just now. Try again later."


class JobsUnavailableError(DependencyError):
    """Jobs could not be handed in or read: Redis does not answer."""

    code = "jobs_unavailable"
    public_message = "Jobs cannot be handed in or read just now. Try again later."

"""The one error of this package."""

from __future__ import annotations


class BvhError(ValueError):
    """A clip, a file or a request about one that cannot be used.

    The message says where, what was expected, what came and, where it is not plain, how to mend it.
    """

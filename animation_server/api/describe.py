"""What views say about themselves, for the OpenAPI document: `@describe` stands over every one of them.

Names, paths and prose are not repeated here; they come from the routes and the docstrings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])
Model = type[BaseModel]

JSON = "application/json"
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "application/octet-stream")


@dataclass(frozen=True)
class Media:
    """What is no JSON of a model; schema : what there is to say about it."""

    schema: Mapping[str, Any]


DRAWING = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or HEIC."}


@dataclass(frozen=True)
class Form:
    """A multipart form: a file `image`, and the fields of a model."""

    fields: Model


@dataclass(frozen=True)
class Body:
    """What a request holds: media type -> content."""

    content: Mapping[str, Model | Media | Form]
    required: bool = True

    @classmethod
    def json(cls, model: Model, *, required: bool = True) -> Body:
        """JSON of the form of a model."""
        return cls({JSON: model}, required)

    @classmethod
    def image(cls, fields: Model) -> Body:
        """An image as a form's file with fields beside it, or as the body itself."""
        return cls({"multipart/form-data": Form(fields)} | dict.fromkeys(IMAGE_TYPES, Media(DRAWING)))


@dataclass(frozen=True)
class Answer:
    """What an answer holds: a model as JSON, other media by type, or nothing; and headers it always has."""

    content: Model | Mapping[str, Media] | None
    description: str
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """What a view says about itself.

    answers : status -> answer where all goes well. errors : statuses of the errors that it knows.
    query : fields that the query may hold. headers : of the request, beside those that follow.
    later : may be answered by a job. conditional : heeds If-None-Match. if_match : heeds If-Match.
    """

    tag: str
    answers: Mapping[int, Answer]
    errors: tuple[int, ...] = ()
    body: Body | None = None
    query: Model | None = None
    headers: tuple[str, ...] = ()
    later: bool = False
    conditional: bool = False
    if_match: bool = False


_ATTRIBUTE = "__operation__"


def describe(tag: str, **more: Any) -> Callable[[View], View]:
    """Describe a view; the arguments are Operation's."""
    operation = Operation(tag, **more)

    def note(view: View) -> View:
        setattr(view, _ATTRIBUTE, operation)
        return view

    return note


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """Return what a view says about itself, None where it says nothing."""
    return getattr(view, _ATTRIBUTE, None)

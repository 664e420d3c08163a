"""`GET /openapi.json`: the API as OpenAPI 3.1, made of routes, docstrings and pydantic models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from importlib.metadata import version
from typing import Any, Literal

from apispec import APISpec
from flask import Blueprint, Flask, Response, current_app
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from werkzeug.routing import Rule

from animation_server.api.access import needs_key
from animation_server.api.answer_models import ErrorAnswer, JobAnswer
from animation_server.api.conditional import answer_json
from animation_server.api.describe import (
    DRAWING,
    JSON,
    Answer,
    Body,
    Form,
    Media,
    Model,
    Operation,
    describe,
    operation_of,
)
from animation_server.api.openapi_texts import (
    ANSWER_HEADERS,
    DESCRIPTION,
    ERRORS,
    HAVE_RETRY_AFTER,
    PATH_PARAMETERS,
    REQUEST_HEADERS,
    TAGS,
)
from animation_server.api.parts import Parts, parts_of
from animation_server.api.request_models import AnimationWishes

blueprint = Blueprint("openapi", __name__)

_EXTENSION = "openapi"
_REF = "#/components/schemas/{model}"
_SAFE_METHODS = frozenset({"GET", "HEAD"})


@blueprint.get("/openapi.json")
@describe(
    "service",
    conditional=True,
    answers={200: Answer({JSON: Media({"type": "object"})}, "OpenAPI 3.1.", headers=("ETag",))},
)
def get_openapi() -> Response:
    """Describe this API."""
    return answer_json(current_app.extensions[_EXTENSION])


def register_openapi(app: Flask) -> None:
    """Describe all views that are registered by now, and serve the document."""
    app.register_blueprint(blueprint)
    app.extensions[_EXTENSION] = make_document(app)


def make_document(app: Flask) -> dict[str, Any]:
    """Describe all views of an app that say something about themselves, as the app's settings have them."""
    parts = parts_of(app)
    views = list(_described(app))
    schemas = _schemas([operation for *_, operation in views], parts)
    spec = APISpec(
        title="Drawing animation",
        version=version("drawing-animation"),
        openapi_version="3.1.0",
        info={"description": DESCRIPTION},
        servers=[{"url": parts.settings.base_url}],
    )
    for name, text in TAGS.items():
        spec.tag({"name": name, "description": text})
    for name, schema in schemas.items():
        spec.components.schema(name, schema)
    for name, (text, schema) in ANSWER_HEADERS.items():
        spec.components.header(name, {"description": text, "schema": schema, "required": True})
    for status, text in ERRORS.items():
        headers = ("Retry-After",) if status in HAVE_RETRY_AFTER else ()
        spec.components.response(str(status), _answer(Answer(ErrorAnswer, text, headers)))
    if parts.settings.api_keys_file:
        spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    for rule, method, view, operation in views:
        built = _operation(rule, view, operation, schemas)
        _restrict(built, rule, method, parts)
        spec.path(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), operations={method.lower(): built})
    return spec.to_dict()


def _described(app: Flask) -> Iterator[tuple[Rule, str, Callable[..., Any], Operation]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        operation = operation_of(view)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if operation is not None:
                yield rule, method, view, operation


def _operation(
    rule: Rule, view: Callable[..., Any], operation: Operation, schemas: Mapping[str, Any]
) -> dict[str, Any]:
    summary, _, description = (inspect.getdoc(view) or "").partition("\n\n")
    answers = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    errors = operation.errors
    if operation.conditional:
        answers["304"] = _answer(Answer(None, "Nothing has changed."))
    if operation.later:
        answers["202"] = _answer(Answer(JobAnswer, "A job makes them.", headers=("Location",)))
        answers["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
        errors += (409, 501)
    built: dict[str, Any] = {
        "operationId": view.__name__,
        "tags": [operation.tag],
        "summary": summary.replace("\n", " ").rstrip("."),
        "parameters": list(_parameters(rule, operation, schemas)),
        "responses": answers | {str(status): str(status) for status in sorted(errors)},
    }
    if description:
        built["description"] = description
    if operation.body is not None:
        built["requestBody"] = _body(operation.body, schemas)
    return built


def _restrict(built: dict[str, Any], rule: Rule, method: str, parts: Parts) -> None:
    """Add what access control does to an operation."""
    if not needs_key(parts.settings, method, rule.rule):
        return
    if parts.settings.api_keys_file:
        built["security"] = [{"key": []}]
        built["responses"]["401"] = "401"
    if parts.settings.rate_limit and method not in _SAFE_METHODS:
        built["responses"]["429"] = "429"


def _parameters(rule: Rule, operation: Operation, schemas: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in sorted(rule.arguments):
        text, schema = PATH_PARAMETERS[name]
        yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
    if operation.query is not None:
        for name, schema in _form_fields(operation.query, schemas).items():
            yield {"name": name, "in": "query", "schema": schema}
    headers = ["X-Request-ID", *operation.headers]
    headers += ["If-None-Match"] * operation.conditional + ["If-Match"] * operation.if_match
    headers += ["Prefer", "Idempotency-Key"] * operation.later
    for name in headers:
        text, schema = REQUEST_HEADERS[name]
        yield {"name": name, "in": "header", "description": text, "schema": schema}


def _body(body: Body, schemas: Mapping[str, Any]) -> dict[str, Any]:
    content = {}
    for media_type, kind in body.content.items():
        if isinstance(kind, Form):
            content[media_type] = {
                "schema": {
                    "type": "object",
                    "properties": {"image": DRAWING} | _form_fields(kind.fields, schemas),
                    "required": ["image"],
                    "additionalProperties": False,
                }
            }
        else:
            content[media_type] = {"schema": _schema(kind)}
    return {"content": content, "required": body.required}


def _form_fields(model: Model, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A model's fields as a form or a query holds them, where a list that is empty is not there at all."""
    fields = deepcopy(schemas[model.__name__].get("properties", {}))
    for field in fields.values():
        field.pop("minItems", None)
    return dict(fields)


def _answer(answer: Answer) -> dict[str, Any]:
    names = ("X-Request-ID", *answer.headers)
    built: dict[str, Any] = {"description": answer.description, "headers": {name: name for name in names}}
    if isinstance(answer.content, Mapping):
        built["content"] = {name: {"schema": _schema(kind)} for name, kind in answer.content.items()}
    elif answer.content is not None:
        built["content"] = {JSON: {"schema": _schema(answer.content)}}
    return built


def _schema(kind: Model | Media) -> dict[str, Any]:
    return dict(kind.schema) if isinstance(kind, Media) else {"$ref": _REF.format(model=kind.__name__)}


def _schemas(operations: Iterable[Operation], parts: Parts) -> dict[str, dict[str, Any]]:
    """The schemas of all models that the operations speak of, with the operator's limits in them."""
    came: list[object] = []
    sent: list[object] = [ErrorAnswer, JobAnswer]
    for operation in operations:
        came.append(operation.query)
        content = operation.body.content.values() if operation.body else ()
        came += [kind.fields if isinstance(kind, Form) else kind for kind in content]
        sent += [answer.content for answer in operation.answers.values()]
    modes = [*_models(came, "validation"), *_models(sent, "serialization")]
    _, built = models_json_schema(modes, ref_template=_REF, schema_generator=_SchemaGenerator)
    schemas: dict[str, dict[str, Any]] = dict(sorted(built["$defs"].items()))
    wishes = schemas[AnimationWishes.__name__]["properties"]
    settings = parts.settings
    wishes["motions"]["items"]["enum"] = list(parts.service.renderer.motions)
    wishes["motions"]["maxItems"] = settings.max_motions
    wishes["frames"]["maximum"] = settings.max_frames
    for side in wishes["size"]["anyOf"]:
        if side["type"] == "integer":
            side["maximum"] = settings.max_size
    return schemas


class _SchemaGenerator(GenerateJsonSchema):
    """Leaves out what says nothing: titles that repeat names, and None for what is as the settings say."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        built = super().default_schema(schema)
        if "default" in built and built["default"] is None:
            del built["default"]
        return built


Mode = Literal["validation", "serialization"]


def _models(kinds: Iterable[object], mode: Mode) -> Iterator[tuple[Model, Mode]]:
    """Pick the models, each once and in an order that does not change."""
    models = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)}
    return ((model, mode) for model in sorted(models, key=lambda model: model.__name__))

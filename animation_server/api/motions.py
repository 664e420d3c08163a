"""What motions there are, and what they look like."""

from __future__ import annotations

from flask import Blueprint, Response

from animation_server.api.answer_models import MotionAnswer, Motions
from animation_server.api.conditional import answer_json
from animation_server.api.describe import Answer, describe
from animation_server.api.parts import current_parts
from animation_server.api.wishes import check_no_fields

blueprint = Blueprint("motions", __name__)

_MOST_PREVIEW_AGE_S = 3600


@blueprint.get("/v1/motions")
@describe("motions", conditional=True, answers={200: Answer(Motions, "All of them.", headers=("ETag",))})
def list_motions() -> Response:
    """List the motions that can be asked for."""
    check_no_fields()
    parts = current_parts()
    return answer_json(
        Motions(
            motions=[
                MotionAnswer(
                    name=motion.name,
                    frames=motion.frames,
                    duration_s=motion.duration_s,
                    preview_url=f"{parts.settings.base_url}/v1/motions/{motion.name}/preview",
                )
                for motion in parts.service.renderer.motions.values()
            ]
        )
    )


@blueprint.get("/v1/motions/<motion>/preview")
@describe(
    "motions",
    answers={302: Answer(None, "The preview, a small GIF.", headers=("Location",))},
    errors=(404, 503, 504),
)
def preview_motion(motion: str) -> Response:
    """Show a motion: leads to a small animation, which is made when it is first asked for."""
    check_no_fields()
    service = current_parts().service
    url = service.preview(motion)
    response = Response(status=302, headers={"Location": url})
    # A link that is kept must still be good when it is followed.
    life_s = service.store.url_life_s
    age_s = _MOST_PREVIEW_AGE_S if life_s is None else min(_MOST_PREVIEW_AGE_S, int(life_s / 2))
    response.headers["Cache-Control"] = f"public, max-age={age_s}"
    return response

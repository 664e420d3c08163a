"""One contract for every inference client; a test module brings the fixture `client`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from animation_server.inference.contract import InferenceClient
from tests.figures import draw_figure

BLANK = np.full((400, 300, 3), 250, dtype=np.uint8)


class InferenceContract:
    """What annotate relies on, whoever runs the models."""

    def test_finds_the_figure(self, client: InferenceClient) -> None:
        """The best box covers the drawn figure and lies within the image."""
        figure = draw_figure()
        best = client.detect(figure.rgb)[0]
        left, top, right, bottom = best.bbox_xyxy
        rows, cols = np.nonzero(figure.mask.any(axis=1))[0], np.nonzero(figure.mask.any(axis=0))[0]
        overlap = (min(right, cols[-1]) - max(left, cols[0])) * (min(bottom, rows[-1]) - max(top, rows[0]))
        assert overlap > 0.6 * (cols[-1] - cols[0]) * (rows[-1] - rows[0])
        assert -1 <= left < right <= figure.rgb.shape[1] + 1
        assert -1 <= top < bottom <= figure.rgb.shape[0] + 1
        assert 0 < best.score <= 1

    def test_orders_detections(self, client: InferenceClient) -> None:
        """Best first."""
        figure = draw_figure().rgb
        scores = [found.score for found in client.detect(np.concatenate([figure, figure], axis=1))]
        assert scores == sorted(scores, reverse=True)

    def test_sees_nothing_on_a_blank_sheet(self, client: InferenceClient) -> None:
        """No figure is an empty list and no error."""
        assert client.detect(BLANK) == []

    def test_locates_joints_and_mask(self, client: InferenceClient) -> None:
        """Joints are (17, 3) with scores within 0 to 1; the mask has the crop's size."""
        crop = draw_figure().rgb
        pose = client.estimate_pose(crop)
        assert pose.keypoints.shape == (17, 3)
        assert pose.keypoints.dtype == np.float64
        assert ((pose.keypoints[:, 2] >= 0) & (pose.keypoints[:, 2] <= 1)).all()
        assert pose.mask is not None
        assert pose.mask.shape == crop.shape[:2]
        assert pose.mask.dtype == np.bool_
        assert pose.mask.any()

    @pytest.mark.parametrize("shape", [(16, 16), (20, 300), (301, 33)])
    def test_takes_any_shape(self, client: InferenceClient, shape: tuple[int, int]) -> None:
        """Small and narrow images are answered like all others."""
        image = np.full((*shape, 3), 200, dtype=np.uint8)
        client.detect(image)
        mask = client.estimate_pose(image).mask
        assert mask is not None
        assert mask.shape == shape

    def test_leaves_the_image_alone(self, client: InferenceClient) -> None:
        """Nothing writes into the caller's array."""
        image = draw_figure().rgb
        image.setflags(write=False)
        client.detect(image)
        client.estimate_pose(image)

    def test_answers_threads_side_by_side(self, client: InferenceClient) -> None:
        """Several threads at once get what one gets."""
        image = draw_figure().rgb
        expected = client.detect(image)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: client.detect(image), range(8)))
        for answer in answers:
            np.testing.assert_allclose(answer[0].bbox_xyxy, expected[0].bbox_xyxy, atol=0.5)

    def test_is_ready_and_versioned(self, client: InferenceClient) -> None:
        """A check that passes says nothing; the version stays the same."""
        client.check()
        assert client.version()
        assert client.version() == client.version()

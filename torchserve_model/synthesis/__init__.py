"""Drawings of figures made by code, with exact joints, masks and boxes: what the networks learn from.

The way of a drawing: `families` samples a body plan (`anatomy`), `pose` places its joints, `figure` draws the
parts (`torso`, `limbs`, `head`, `headwear`, `clothes`, `belongings`, `onepiece`) as marks of a `medium` in a
`sketch`; `canvas` rasterises marks into ink and masks; `clutter` and `things` fill the rest of the page;
`finish`, `paper` and `photograph` turn ink into a picture; `sheet` and `crop` compose training examples,
which `sample` offers and `preview` shows.
"""

"""Drawings of figures made by code, with exact joints, masks and boxes: what the networks learn from.

The way of a drawing: `anatomy` samples a body plan, `pose` places its joints, `figure` draws the parts
(`torso`, `limbs`, `head`, `dress_up`) as marks of a `medium`, `canvas` rasterises marks into ink and
masks, `paper` and `photograph` turn ink into a picture, and `sample` puts it all together.
"""

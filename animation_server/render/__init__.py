"""From a deformed mesh to frames: camera, rasteriser, scene."""

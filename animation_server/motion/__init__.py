"""Motion onto a rig: configuration files, retargeting, and the bundled library."""

"""The rig: skeleton, mesh and deformation."""

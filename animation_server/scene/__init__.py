"""Several figures in one picture: scene files, and drawings whose figures move on their own sheet."""

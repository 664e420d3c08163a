"""What the service tells of itself: logs, metrics, stages, request ids."""

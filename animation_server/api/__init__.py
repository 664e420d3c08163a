"""HTTP: blueprints, request and response models."""

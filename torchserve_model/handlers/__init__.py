"""TorchServe handlers: what answers a request inside a model worker."""

"""The real parts that tests, benchmarks and `make pod` start: an S3 server, TorchServe, the server itself."""

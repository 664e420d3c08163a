"""Where objects are kept: a local directory or S3."""

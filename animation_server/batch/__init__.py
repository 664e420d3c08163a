"""Many drawings at once: from files and folders into a folder or a bucket, resumable."""

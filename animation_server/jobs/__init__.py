"""Work that outlives the request that asked for it: jobs, in this process or spread over Celery workers."""

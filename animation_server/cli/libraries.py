"""What the libraries beneath the service are told by the environment of its processes."""

LIBRARIES = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "1000000",
    "OPENBLAS_NUM_THREADS": "1",
}
"""How the server wants the libraries beneath it. The C library gives images and frames back when they are
freed. Left alone, it keeps them in arenas for every thread and in holes between what lives on: a worker grows
by 100 MB in 20 requests. OpenBLAS keeps to one thread: the matrices are small, and its threads stand in the
way of those that render.
"""

"""BVH motion clips: reading, writing, trimming, looping, previewing and authoring."""

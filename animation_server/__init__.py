"""A photograph of a child's drawing in, animated clips out."""

"""The models: drawings made by code, networks learnt from them, and what serves them."""

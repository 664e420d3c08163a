"""How gunicorn runs the app."""

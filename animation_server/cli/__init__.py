"""The command animation-server.

Exit codes: 0 done; 2 usage, settings included; 3 bad input, told in one line on stderr; 4 a dependency
failed; 1 a bug. What the commands need is imported when they run, so that --help is quick.
"""

from animation_server.cli.main import main

__all__ = ["main"]

"""python -m animation_server.cli"""

import sys

from animation_server.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m curveclinic`."""

import sys

from curveclinic.cli import main

sys.exit(main())

"""Python runs this first in every process that a test starts (PYTHONPATH): there too a file is a schema."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if "LEDGER_TESTS_POSTGRESQL" in os.environ:
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from tests.on_postgresql import install

    install()

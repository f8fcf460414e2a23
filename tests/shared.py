"""Where other people's vectors and data are, when the folder lies beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
VECTORS = Path(__file__).resolve().parent / "vectors"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder shared/ is not beside the project: public vectors are not run"
)

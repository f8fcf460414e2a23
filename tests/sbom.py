"""What is installed, as CycloneDX JSON: `make sbom`.

    python -m tests.sbom OUT [ENVIRONMENT]

The list is made by `cyclonedx-py` and validated against the schema of CycloneDX 1.6. Left out are links that
lead to a package index, and everything that depends on the machine or the hour: the same environment gives
the same bytes, so two machines compare theirs by a hash.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from tests.shared import ROOT

INDEX: Final = re.compile(r"^(?:file:|https?://(?:[\w.-]*\.)?(?:" + "pypi" + r"\.|python" + r"hosted\.))")


def bill(environment: Path) -> bytes:
    """Return the bill of materials of an environment, the project at its root.

    Raises:
        ValueError: it does not validate.
    """
    made = listed(environment)
    error = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(made.decode())
    if error is not None:
        raise ValueError(f"expected CycloneDX 1.6, got {error}")
    return made


def listed(environment: Path) -> bytes:
    """Return the same bytes, not validated yet; nor by the tool, as what it writes is changed here."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "bom.json"
        tool = [str(Path(sys.executable).with_name("cyclonedx-py")), "environment", str(environment)]
        options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON"]
        options += ["--no-validate", "--sv", "1.6", "-o", str(out)]
        subprocess.run([*tool, *options], check=True, capture_output=True)
        value = json.loads(out.read_text(encoding="utf-8"))
    return (json.dumps(_portable(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _portable(value: Any) -> Any:
    """Leave out references that lead to an index or to this machine."""
    if isinstance(value, list):
        return [_portable(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _portable(each) for name, each in value.items()}
    if "externalReferences" in kept:
        references = [each for each in kept.pop("externalReferences") if not INDEX.match(each["url"])]
        if references:
            kept["externalReferences"] = references
    return kept


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_bytes(bill(Path(sys.argv[2] if len(sys.argv) > 2 else sys.prefix)))
    print(f"{target}: {len(json.loads(target.read_bytes())['components'])} components")

"""Is what runs what the log says: the settings of `ledger.toml`, and the signing pages of the release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from ledger.configured import compare, installed_pages, pages_difference, released_pages
from ledger.directory import Config
from ledger.doctor.finding import Finding
from ledger.store.port import Reads


def settings_findings(config: Config, reads: Reads) -> Iterator[Finding]:
    """Compare configuration and signing pages with the log."""
    found = compare(config, reads)
    told = "; ".join(map(str, found.differences))
    count = f"{found.named} of {len(found.settings)} settings are named by the log"
    yield Finding(
        area="configured",
        verdict="bad" if found.differences else "good" if found.named else "watch",
        text=told or (f"{count}, all as it says" if found.named else f"{count}: nothing to compare with"),
        values={
            "settings": dict(found.settings),
            "named": found.named,
            "differences": [asdict(each) for each in found.differences],
        },
    )
    if config.signing is None:
        return
    installed, released = installed_pages(), released_pages(reads)
    difference = pages_difference(reads, installed)
    good = "as in the newest release" if released is not None else "no release names them"
    yield Finding(
        area="pages",
        verdict="bad" if difference else "good" if released is not None and installed else "watch",
        text=difference or (good if installed is not None else "not installed here"),
        values={"installed": installed, "released": released[0] if released is not None else None},
    )

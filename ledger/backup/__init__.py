"""Backups: a copy of a ledger's directory while it is written to, put back, and tried (21 CFR 11.10(c)).

    BACKUP/                manifest.json  checkpoint  ledger.toml  ledger.db  accounts.db  witnessed.db
                           deliveries.db  unblindings.db  projections.db  keys/
    BACKUP.datakeys.db     the wrapped data keys, apart: an erasure reaches a backup through them

`taking` makes one, `restoring` puts one back, `trying` restores one to an empty place and judges what came
out. The store of published checkpoints is in none: put back with the events it would hide what they lack. A
backup holds the newest published checkpoint as a note, which tells whether it is whole and not whether it is
the newest. `docs/backup.md` is for the operator.
"""

"""Time stamps of a third party on published checkpoints (RFC 3161; record-format.md §5)."""

"""Attacks on the log and on what is exported of it, each with its finding (docs/threat-model.md)."""

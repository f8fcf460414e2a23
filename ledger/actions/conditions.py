"""What a study permits: amendments, enrolment, halt, close (catalogue B)."""

from __future__ import annotations

"""The training log: who was trained on what, when it took place and when it was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from projections.desk import Desk
from projections.report import Report, Row


def training_log(desk: Desk) -> Iterator[Row]:
    """Yield a row for each training, by person and in the order of the log."""
    for line in desk.records("training.recorded", kind="person"):
        yield {
            "person": line.data["person"],
            "topic": line.data["topic"],
            "protocol": line.data.get("protocol"),
            "date": line.data["date"],
            "recorded_at": line.recorded_at,
            "recorded_by": line.person,
            "index": line.index,
        }


REPORTS: Final = (
    Report(
        name="training-log",
        question="Who was trained on what, and when was it recorded?",
        columns=MappingProxyType(
            {
                "person": "who was trained",
                "topic": "on what",
                "protocol": "protocol version, where the training is for one",
                "date": "when it took place, as written",
                "recorded_at": "when the log took it in, UTC",
                "recorded_by": "who recorded it",
                "index": "index of the record",
            }
        ),
        rows=training_log,
    ),
)

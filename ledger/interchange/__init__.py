"""Public standards in: what a study or its data say elsewhere, and a report of what was and was not taken."""

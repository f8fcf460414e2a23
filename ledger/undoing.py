"""What was made outside of a directory goes again where the whole fails, as the directory does.

    with undone_on_failure():
        create_schema(…)             # says `made("schema study_1", remove_it)` once it is there
        …

Blocks within one another are one: the outermost decides, and takes away what was made last first. What cannot
be taken away, because the server that holds it is gone for one, is named beside the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

Made = list[tuple[str, Callable[[], None]]]

_made: Final[ContextVar[Made | None]] = ContextVar("made", default=None)


@contextmanager
def undone_on_failure() -> Iterator[None]:
    """Take away what was made in the block, where the block fails."""
    if _made.get() is not None:
        yield
        return
    here: Made = []
    token = _made.set(here)
    try:
        yield
    except BaseException as error:
        _undo(here, error)
        raise
    finally:
        _made.reset(token)


def _undo(here: Made, error: BaseException) -> None:
    """Take away what was made last first; whatever hinders one, the others go, or are named as well."""
    interrupted = False
    for what, undo in reversed(here):
        why = "removing it was interrupted"
        try:
            if not interrupted:
                undo()
                continue
        except Exception as left:
            why = f"it could not be removed ({getattr(left, 'code', type(left).__name__)})"
        except KeyboardInterrupt:
            interrupted = True
        error.add_note(f"left behind: {what}; {why}")


def made(what: str, undo: Callable[[], None]) -> None:
    """Say what was made and how it goes again; outside of such a block nobody asks."""
    here = _made.get()
    if here is not None:
        here.append((what, undo))

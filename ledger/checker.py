"""Signatures checked in a process beside the one that records, while that one judges.

An Ed25519 check takes as long as the rules of a statement, and whether a signature holds does not depend on
what the log holds: the key's name is made from the key. So the statements of a commit are handed to a process
of its own before the write lock is taken, and it answers in order:

    to it      count u32, then count times: key 32 bytes · signature 64 bytes · length u32 · PAE
    from it    one byte when it is ready, then one byte each: 1 it holds, 0 anything else

Only a 1 counts. For whatever else, a 0, another algorithm, a key that the log learns in the same commit, or a
process that is gone, the statement's signatures are checked where it is judged, as always. Who must sign is
decided there in any case, under the write lock, and the key that was checked with must be that key.

    python -m ledger.checker       the process, on its standard input and output
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Final, NamedTuple

from ledger.authorisation import check_signatures
from ledger.authority import Authority
from ledger.envelope import EventHash, pae
from ledger.errors import SignatureError
from ledger.keys import ED25519, KeyId, KeySignature, PublicKey, check_signature
from ledger.leaf import Leaf
from ledger.statement import Statement
from ledger.submission import Submission

MOST: Final = 32_768
"""So many are handed over at once: their answers fit into a pipe, so nobody waits for a reader."""
PATIENCE_S: Final = 2.0
"""How long an answer is waited for: thousands are given in that time."""
_PIPE_BYTES: Final = 1 << 20
_READY: Final = b"\2"
_POINT, _SIGNATURE, _NUMBER = 32, 64, 4


class Check(NamedTuple):
    """One signature to be checked: by which key, the signatures that it is all of, the bytes signed."""

    key: PublicKey
    sigs: tuple[KeySignature, ...]
    message: bytes


class Checker:
    """The process beside; started with the first statements that are worth it. One user at a time.

    Nobody waits for it to come up: until it is ready nothing is handed over.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._asked = 0
        self._answered = 0
        self._alone = (os.cpu_count() or 1) < 2

    def begin(self, authority: Authority, submissions: Sequence[Submission]) -> Checks | None:
        """Hand signatures over that can be checked ahead; None where there are none, or no process."""
        if self._alone:
            return None
        if self._asked - self._answered >= MOST:
            self.close()  # commits that failed left so many answers that the pipe might fill
        if not self._is_ready(0):
            return None
        ahead = [_ahead(authority, submission) for submission in submissions[:MOST]]
        checks = [check for check in ahead if check is not None]
        if not checks or not self._hand_over(checks):
            return None
        return Checks(self, ahead, self._asked - len(checks))

    def start(self, timeout_s: float = 0) -> bool:
        """Start the process; tell whether it is ready within that time."""
        return not self._alone and self._is_ready(timeout_s)

    def answers(self, first: int) -> bytes:
        """Wait for more answers; return those from number `first` on, none where the process is gone."""
        if self._process is None or self._process.stdout is None:
            return b""
        answers = self._process.stdout.fileno()
        answered = os.read(answers, MOST) if select.select([answers], [], [], PATIENCE_S)[0] else b""
        if not answered:
            self._process.kill()  # it is gone, or hangs, and the write lock is held meanwhile
            self.close()
            return b""
        before, self._answered = self._answered, self._answered + len(answered)
        return answered[max(first - before, 0) :]

    def close(self) -> None:
        """End the process; another `begin` starts a new one."""
        process, self._process = self._process, None
        self._ready = False
        self._asked = self._answered = 0
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def _is_ready(self, timeout_s: float) -> bool:
        if self._ready:
            return True
        try:
            process = self._process = self._process or _start()
        except OSError:
            self._alone = True  # no process is to be had: everything is checked where it is judged
            return False
        assert process.stdout is not None  # noqa: S101  it was made with a pipe
        if select.select([process.stdout], [], [], timeout_s)[0]:
            self._ready = os.read(process.stdout.fileno(), 1) == _READY
            if not self._ready:
                self.close()
                self._alone = True  # it does not come up: it is not tried again for every commit
        return self._ready

    def _hand_over(self, checks: Sequence[Check]) -> bool:
        process = self._process
        assert process is not None and process.stdin is not None  # noqa: S101, PT018  it is ready
        parts = [len(checks).to_bytes(_NUMBER, "big")]
        for key, (signature,), message in checks:
            parts += (key.point, signature.sig, len(message).to_bytes(_NUMBER, "big"), message)
        try:
            process.stdin.write(b"".join(parts))
        except OSError:
            self.close()
            return False
        self._asked += len(checks)
        return True


class Checks:
    """What was handed over of one commit, and what has come back."""

    def __init__(self, checker: Checker, ahead: Sequence[Check | None], first: int) -> None:
        self._checker = checker
        self._ahead = ahead
        self._first = first
        self._answers = bytearray()
        self._places = {n: at for at, n in enumerate(n for n, each in enumerate(ahead) if each is not None)}

    def check(self, n: int, authority: Authority, statement: Statement, leaf: Leaf) -> None:
        """Check the signatures of the n-th statement, as `check_signatures` does.

        Raises:
            SignatureError: as `check_signatures`.
        """
        ahead = self._ahead[n] if n < len(self._ahead) else None
        if ahead is not None and leaf.sigs is ahead.sigs and self._holds(self._places[n]):
            key = authority.keys.get(statement.key.id)
            if key is not None and key.public is ahead.key:
                return  # these signatures are the whole set of the statement: `_ahead` has looked
        check_signatures(authority, statement, leaf)

    def _holds(self, at: int) -> bool:
        while len(self._answers) <= at:
            more = self._checker.answers(self._first + len(self._answers))
            if not more:
                return False
            self._answers += more
        return self._answers[at] == 1


def _ahead(authority: Authority, submission: Submission) -> Check | None:
    """Return the check of a statement that one Ed25519 key signs which the log knows."""
    statement, sigs = submission.statement, submission.sigs
    ref, key = statement.key, authority.keys.get(statement.key.id)
    if key is None or not key.public.alg == ref.alg == ED25519 or statement.with_ or len(sigs) != 1:
        return None
    sig = sigs[0]
    named = sig.alg == ED25519 and sig.key == ref.id == key.public.id
    if not named or len(sig.sig) != _SIGNATURE or sig.ad is not None or sig.cd is not None:
        return None
    return Check(key.public, sigs, pae(statement.body))


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ledger.checker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    for pipe in (process.stdin, process.stdout):
        # Where a pipe can't hold a whole commit, handing over waits until the process has read most of it.
        if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _check_all(asked: IO[bytes], answers: int) -> None:
    """Check what is asked until nothing more comes."""
    while header := asked.read(_NUMBER):
        for _ in range(int.from_bytes(header, "big")):
            point, sig = asked.read(_POINT), asked.read(_SIGNATURE)
            message = asked.read(int.from_bytes(asked.read(_NUMBER), "big"))
            os.write(answers, b"\1" if _holds(point, sig, message) else b"\0")


def _holds(point: bytes, sig: bytes, message: bytes) -> bool:
    name = KeyId("")  # who signs is judged by whoever asked
    key = PublicKey(alg=ED25519, id=name, spki=b"", point=point)
    try:
        check_signature(key, message, EventHash(""), KeySignature(alg=ED25519, key=name, sig=sig))
    except SignatureError:
        return False
    return True


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells everybody; the end of input ends it
    asked = open(sys.stdin.fileno(), "rb", buffering=1 << 16, closefd=False)  # noqa: SIM115  ends with us
    with contextlib.suppress(BrokenPipeError), asked:  # whoever asked is gone, perhaps before we were ready
        os.write(sys.stdout.fileno(), _READY)
        _check_all(asked, sys.stdout.fileno())


if __name__ == "__main__":
    _main()

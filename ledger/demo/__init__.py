"""The demonstration: the reference study, played from start-up to the last visit through the write path.

    report = play_demo(Path("D"), seed=1, progress=…)

Deterministic: clock, identifiers, salts, nonces and keys come from one seeded source (`SeededSources`),
everybody signs with Ed25519, commands are recorded one by one, and the story lies in the past. No version,
path, host or present time enters an event: same seed, same root. Nobody in it is real, all keys are public.

    cast           people and keys
    stage          the clock, signing, and the order in which stories are recorded
    setup          study start-up
    schedule       who comes when
    turns          what does not go to plan, participant by participant
    participants   one participant from screening to the end: enrolling, consenting, screening, visits,
                   diaries, bedside, safety, asides, leaving, afterwards
    monitoring     how a participant's record is looked after: querying, deviating, signing, endorsing
    elsewhere      keys, staff, approvals, refusals
    play, report   all of it, exported and verified, and what is printed
"""

from ledger.demo.play import play_demo
from ledger.demo.report import DemoReport

__all__ = ["DemoReport", "play_demo"]

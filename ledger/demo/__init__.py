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
    participants   one participant from screening to the end, by the modules of consent, visits, bedside,
                   diaries, safety, queries, signatures, leaving and what comes after
    office         a desk of those who write what concerns no one participant
    elsewhere      what goes on around the participants: keys, staff, amending, conditions, handing_over,
                   attesting, running, counting, unblinding_turns, overseeing, taking_over
    safety_office  the central part of safety
    closing        locks, lists opened, sites and study closed, archive
    play, report   all of it, exported and verified, and what is printed
"""

from ledger.demo.play import play_demo
from ledger.demo.report import DemoReport

__all__ = ["DemoReport", "play_demo"]

"""Which protocol version is in force for a record: that of its site, or the one a participant still has.

An approved amendment is in force at a site from its activation there (catalogue B). Where it needs
re-consent, whoever consented before stays on the version before it, until they consent to a form that was
approved after it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.participant import Participant
from ledger.state.sites import Activation
from ledger.studystate import Protocol, StudyState
from ledger.times import Interval


def version_for(participant: Participant, study: StudyState, when: Interval, before: int) -> Protocol | None:
    """Return the version that a participant is treated under at a time, as the log stood."""
    site = participant.site
    if not participant.consents:
        return study.protocol_for(site, before, when)
    zone = study.zone(site)
    for activation in reversed(study.site(site).amendments):
        if activation.index >= before or activation.begins_us(zone) > when.latest_us:
            continue
        protocol = study.version(activation.version, before)
        if protocol is not None and not _waits(participant, study, activation, protocol, when, before):
            return protocol
    return study.first_protocol(site, before)


def earlier_versions(
    participant: Participant, study: StudyState, now_us: int, before: int
) -> tuple[tuple[str, int], ...]:
    """Return the versions that a participant was under before the present one, and when each ended.

    In the order of time; ends are microseconds since the epoch. What was done before an end is under that
    version, whenever it is recorded (catalogue B).
    """
    zone = study.zone(participant.site)
    begins = {each.begins_us(zone) for each in study.site(participant.site).amendments if each.index < before}
    if not begins:
        return ()
    consents = {consent.time.earliest_us for consent in participant.consents}
    found: list[tuple[str, int]] = []
    for end_us in sorted(each for each in begins | consents if each <= now_us):
        last = Interval(earliest_us=end_us - 1, latest_us=end_us - 1)
        protocol = version_for(participant, study, last, before)
        if protocol is not None:
            found = [each for each in found if each[0] != protocol.version] + [(protocol.version, end_us)]
    now = version_for(participant, study, Interval(earliest_us=now_us, latest_us=now_us), before)
    return tuple(each for each in found if now is None or each[0] != now.version)


def versions_at(study: StudyState, site: str, when: Interval, before: int) -> Iterator[str]:
    """Yield every version that a participant of a site may be under.

    That is the one in force, and each before it as long as the next needs re-consent.
    """
    zone = study.zone(site)
    for activation in reversed(study.site(site).amendments):
        if activation.index >= before or activation.begins_us(zone) > when.latest_us:
            continue
        yield activation.version
        protocol = study.version(activation.version, before)
        if protocol is None or not protocol.reconsent:
            return
    first = study.first_protocol(site, before)
    if first is not None:
        yield first.version


def _waits(
    participant: Participant,
    study: StudyState,
    activation: Activation,
    protocol: Protocol,
    when: Interval,
    before: int,
) -> bool:
    """Tell whether a participant consented before an amendment that needs re-consent, and not again since."""
    if not protocol.reconsent:
        return False
    newer = {form.version for form in study.forms if protocol.index < form.index < before}
    begins_us = activation.begins_us(study.zone(participant.site))
    consents = [c for c in participant.consents if c.time.earliest_us <= when.latest_us]
    earlier = any(consent.time.earliest_us < begins_us for consent in consents)
    return earlier and not any(consent.form_version in newer for consent in consents)

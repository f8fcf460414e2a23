"""A short run of every fuzzer: whole bundles by number, each parser from its seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.bundle import Good, case, good, main, write, zipped
from tests.fuzz.mutation import mutate
from tests.fuzz.parsers import TARGETS, attempt
from tests.ledger.verifying import judge

CASES = 48
CHUNKS = 6


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Good:
    """A good bundle to mutate."""
    return good(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_mutated_bundles_never_crash_and_never_verify(bundle: Good, tmp_path: Path, chunk: int) -> None:
    """The first cases of the long run (`python -m tests.fuzz.bundle`), the same each time."""
    size = CASES // CHUNKS
    for number in range(chunk * size, (chunk + 1) * size):
        case(bundle, number, tmp_path / str(number))


def test_the_good_bundle_verifies(bundle: Good, tmp_path: Path) -> None:
    """As files and as a zip: what does not verify is another content."""
    write(tmp_path / "b", bundle.files)
    (tmp_path / "b.zip").write_bytes(zipped(bundle.files))
    assert judge(tmp_path / "b", bundle.policy).exit_code == 0
    assert judge(tmp_path / "b.zip", bundle.policy).exit_code == 0


def test_the_long_run_counts_its_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """It says how many there were and ends with 0 where none is a defect."""
    assert main(["--seconds", "0.2", "--seed", "7"]) == 0
    assert capsys.readouterr().out.endswith(" 0 defects\n")


@pytest.mark.parametrize("name", TARGETS)
def test_some_seed_is_taken(name: str) -> None:
    """A target that takes no seed at all would fuzz its first line alone; a forged signature never holds."""
    assert any(attempt(TARGETS[name], seed) for seed in TARGETS[name].seeds) or name == "keys"


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25)
@given(data=st.data())
def test_parser_takes_or_refuses_by_its_own_errors(name: str, data: st.DataObject) -> None:
    """Whatever comes in, nothing leaves a parser but an error of the project's family."""
    target = TARGETS[name]
    seed = data.draw(st.sampled_from(target.seeds))
    dice = data.draw(st.randoms(use_true_random=False))
    attempt(target, data.draw(st.one_of(st.just(mutate(dice, seed)), st.binary(max_size=200))))


@given(st.binary(max_size=300))
@example(b"")
@settings(max_examples=30)
def test_any_bytes_in_any_parser(data: bytes) -> None:
    """The same bytes in all of them."""
    for target in TARGETS.values():
        attempt(target, data)

# Everything runs from .venv, made from requirements.lock; nothing else is needed than Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
DEMO ?= demo

.PHONY: demo test check bench cdisc generated lock clean soak-relay revoking

.venv/made: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: .venv/made
	$(BIN)/trial-ledger demo $(DEMO) --seed $(SEED)

test: .venv/made
	$(BIN)/python -m tests.halves

check: .venv/made
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/made
	$(BIN)/python -m tests.benchmarks

# 10,000 keys revoked while they sign; what was recorded verifies. A few minutes.
revoking: .venv/made
	$(BIN)/python -m tests.revoking

# Real data: 294,000 rows of a finished study, imported, replayed, compared, exported, verified. Its packages are
# large (350 MB installed), so they are no part of the others.
cdisc: .venv/made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-cdisc.lock
	$(BIN)/python -m tests.pilot

# The relay into NATS JetStream, with the ledger's server, the relay and nats-server killed at random.
soak-relay: .venv/made
	$(BIN)/python -m tests.soak.relay

generated: .venv/made
	$(BIN)/python -m ledger.actions.table > docs/spec/authority.csv
	$(BIN)/python -m ledger.verify.findings > docs/spec/findings.csv
	$(BIN)/python -m ledger.rules.table > docs/spec/rules.csv
	$(BIN)/python -m ledger.rules.catalogue > docs/catalogue.md
	$(BIN)/python -m api.routes.authorization > docs/authorization.md

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra cdisc pyproject.toml -o requirements-cdisc.lock

clean:
	rm -rf .venv build dist *.egg-info

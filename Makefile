# Everything runs from .venv, made from requirements.lock; nothing else is needed than Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
DEMO ?= demo

.PHONY: mutation fuzz witness soak-stream demo test test-postgresql check fuzz-http bench cdisc sbom generated lock clean soak soak-relay million revoking

.venv/made: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: .venv/made
	@test -z "$$(ls -A '$(DEMO)' 2>/dev/null)" || { \
	  echo "$(DEMO) is there already: look around in it, remove it, or make another: make demo DEMO=other" >&2; exit 1; }
	$(BIN)/trial-ledger demo $(DEMO) --seed $(SEED)

test: .venv/made
	$(BIN)/python -m tests.halves

# The same over PostgreSQL: what would be a file is a schema of a server of the run's own.
test-postgresql: .venv/made
	$(BIN)/python -m tests.halves -p tests.on_postgresql.plugin

check: .venv/made
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Requests made from the OpenAPI document by schemathesis, as three roles, against a real server; some minutes.
fuzz-http: .venv/made
	$(BIN)/python -m tests.fuzz_http

# Whole bundles mutated, then each parser by coverage under atheris, which is installed beside the rest: 10 minutes.
FUZZ_SECONDS ?= 20
fuzz: .venv/made
	test -d .venv-fuzz || $(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check atheris==3.0.0
	$(BIN)/python -m tests.fuzz.bundle --seconds $$(($(FUZZ_SECONDS) * 10))
	PYTHONPATH=.:$$(echo .venv/lib/python3*/site-packages) .venv-fuzz/bin/python -m tests.fuzz.guided --seconds $(FUZZ_SECONDS)

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

# PostgreSQL under load: writers and a server that die at random; a synchronous standby that takes over.
soak: .venv/made
	$(BIN)/python -m tests.soak.writers
	$(BIN)/python -m tests.soak.replica

# A log of a million entries on PostgreSQL, a quarter of an hour on two cores: rates, size, rebuild, memory.
million: .venv/made
	$(BIN)/python -m tests.soak.million

# The relay into NATS JetStream, with the ledger's server, the relay and nats-server killed at random.
soak-relay: .venv/made
	$(BIN)/python -m tests.soak.relay

# 200 subscribers, a writer at full speed, a server killed and drained meanwhile; a few minutes.
soak-stream: .venv/made
	$(BIN)/python -m tests.soak.subscribers

# A witness that is not of this project; PYTHON_WITNESS is an interpreter that it installs into (3.12 or newer).
PYTHON_WITNESS ?= python3.12
witness: .venv/made
	$(BIN)/python -m tests.witnesses $(PYTHON_WITNESS)

# Does a test notice when the verifier's core is changed in one place? A sample of the changes; half an hour.
MUTATION ?= /tmp/trial-ledger-mutation
mutation: .venv/made
	$(BIN)/python -m venv $(MUTATION)
	$(MUTATION)/bin/python -m pip install --quiet --disable-pip-version-check 'mutmut>=3.8,<4'
	$(BIN)/python -m tests.mutation $(MUTATION)/bin/python --at $(MUTATION)/work $(MUTATE)

sbom: .venv/made
	$(BIN)/python -m tests.sbom sbom.cdx.json

generated: .venv/made
	$(BIN)/python -m ledger.actions.table > docs/spec/authority.csv
	$(BIN)/python -m ledger.verify.findings > docs/spec/findings.csv
	$(BIN)/python -m ledger.rules.table > docs/spec/rules.csv
	$(BIN)/python -m ledger.rules.catalogue > docs/catalogue.md
	$(BIN)/python -m api.routes.authorization > docs/authorization.md
	$(BIN)/python -m ledger.study.reference > docs/study-definition.md

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra cdisc pyproject.toml -o requirements-cdisc.lock

clean:
	rm -rf .venv .venv-fuzz build dist *.egg-info

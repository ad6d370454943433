# `make` prints every target. A fresh machine needs Python 3.11 with venv, make and Go; `make doctor` names the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# Prerequisites are done in the order in which they stand: `make test` asks the doctor before it begins.
.NOTPARALLEL:
# Thousands of modules are imported by each of hundreds of processes: without their bytecode everything takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

UV_VERSION := 0.13.9
# The uv on PATH, else one of our own in build/uv.
UV := $(or $(shell command -v uv),build/uv/bin/uv)
# The distribution's own Python where it is new enough: the images' base has the same, and it is built with optimisation.
ifndef UV_PYTHON
export UV_PYTHON := $(shell /usr/bin/python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
endif
ENV := .venv/.synced
PYTHON := .venv/bin/python
RUN := $(UV) run --no-sync

.PHONY: help
help:  ## Print every target.
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

##@ environment

.PHONY: env
env: $(ENV)  ## Install the Python environment of uv.lock into .venv.

$(ENV): uv.lock | $(UV)
	$(UV) sync --all-packages --frozen --compile-bytecode --quiet
	@touch $@

# The doctor's row for what must be there before the doctor can run.
build/uv/bin/uv:
	@python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "✗  Python 3.11 or newer with venv  |  found: $$(python3 --version 2>&1)  |  apt-get install python3 python3-venv"; \
		exit 1; }
	python3 -m venv build/uv
	build/uv/bin/pip install --quiet uv==$(UV_VERSION)

.PHONY: generate
generate: $(ENV)  ## Write crds/ and docs/reference/modeldeployment.md from the API models.
	@$(RUN) python -m sluice_dev.generate

##@ tests

.PHONY: check
check: lint test-unit  ## Formatting, lints, types, import contracts, and the unit tests with coverage.

.PHONY: lint
lint: $(ENV)  ## Formatting, lints, types, import contracts.
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy
	$(RUN) lint-imports

.PHONY: test-unit
test-unit: $(ENV)  ## Unit tests; fails below the coverage of pyproject.toml, and when a generated file is stale.
	$(RUN) pytest tests/unit -n 2 --dist worksteal --cov --cov-report=term:skip-covered --durations=5

.PHONY: test-simulation
test-simulation: $(ENV)  ## 500 simulated worlds and the planted bugs.
	$(RUN) pytest tests/simulation --durations=5

.PHONY: test-statistics
test-statistics: $(ENV)  ## What the statistics promise, held against thousands of simulated rollouts.
	$(RUN) pytest tests/statistics -n 2 --dist worksteal --durations=5

.PHONY: test-model-server
test-model-server: $(ENV)  ## The model server as real processes, and with real models of every kind.
	$(RUN) pytest tests/model_server -n 2 --dist worksteal --durations=5

.PHONY: test-dev
test-dev: $(ENV)  ## The development tools with real programs: kubectl, namespaces, cgroups. Needs root.
	$(RUN) pytest tests/dev --durations=5

CONFORMANCE := tests/model_server_conformance
CONFORMANCE_ENV := $(CONFORMANCE)/.venv/.synced

$(CONFORMANCE_ENV): $(CONFORMANCE)/uv.lock | $(UV)
	$(UV) sync --project $(CONFORMANCE) --frozen --compile-bytecode --quiet
	@touch $@

.PHONY: test-conformance
test-conformance: $(ENV) $(CONFORMANCE_ENV)  ## Other people's clients, schemathesis and a real S3 API against the model server, from an environment of their own.
	cd $(CONFORMANCE) && .venv/bin/python -m pytest --ignore test_mlserver.py -n 2 --dist loadscope --durations=5
	cd $(CONFORMANCE) && .venv/bin/python -m pytest test_mlserver.py  # KServe and MLServer cannot be imported into one process

.PHONY: test-fast
test-fast: test-unit test-simulation  ## Unit tests and the simulation.

WORLDS ?= 10000

.PHONY: simulate
simulate: $(ENV)  ## 10,000 simulated worlds (WORLDS=n); SEED=n plays one again and tells its story, the shortest one that fails.
	PYTHONPATH=tests PYTHONHASHSEED=0 $(RUN) python -m simulation $(if $(SEED),--seed $(SEED) --shrink,--worlds $(WORLDS))

.PHONY: test-cluster
test-cluster: cluster test-apiserver test-e2e  ## Tests on the real API server and end to end, on the cluster.

.PHONY: test-apiserver
test-apiserver: $(ENV)  ## CRD, permissions and the contract of the fake cluster, on the API server of a cluster that runs.
	$(RUN) pytest tests/apiserver --durations=10

.PHONY: test-e2e
test-e2e: $(ENV)  ## Rollouts on the real cluster: several namespaces at once, then what must be alone. Sets the cluster up.
	$(RUN) pytest tests/e2e -m "not alone" -n 4 --dist worksteal --durations=10
	$(RUN) pytest tests/e2e -m alone --durations=10

.PHONY: test
test: machine check test-simulation test-statistics test-model-server test-conformance test-dev test-cluster  ## Everything; does all set-up itself.

##@ see it work

.PHONY: demo
demo: $(ENV)  ## Everything from nothing, then five versions of a model under 200 requests/s: watch them come and go.
	@$(PYTHON) -m sluice_dev.demo

##@ the development cluster

.PHONY: cluster
cluster: $(ENV)  ## Start a real one-node Kubernetes with gateway and Prometheus (or use KUBECONFIG's: USE_EXISTING_CLUSTER=1).
	@$(PYTHON) -m sluice_dev.cluster up

.PHONY: cluster-down
cluster-down: $(ENV)  ## Take the cluster away; nothing of it stays but the cache.
	@$(PYTHON) -m sluice_dev.cluster down

.PHONY: cluster-status
cluster-status: $(ENV)  ## Say what of the cluster runs.
	@$(PYTHON) -m sluice_dev.cluster status

.PHONY: doctor
doctor: $(ENV)  ## Say in one table what this machine lacks for the cluster, and how to get it.
	@$(PYTHON) -m sluice_dev.cluster doctor

.PHONY: machine
machine: $(ENV)
	@$(PYTHON) -m sluice_dev.cluster machine

.PHONY: kubectl
kubectl: $(ENV)  ## Run kubectl on the cluster: make kubectl ARGS='get pods -A'.
	@$(PYTHON) -m sluice_dev.cluster kubectl $(ARGS)

.PHONY: images
images: $(ENV)  ## Build the images into the cluster; with REGISTRY=host/path (and BASE=image) build and push them there.
	@$(PYTHON) -m sluice_dev.images build $(if $(REGISTRY),--registry $(REGISTRY) --push $(if $(BASE),--base $(BASE)))

.PHONY: install
install: $(ENV)  ## Install this checkout's Sluice and the store of the demo's models in the cluster (also in one of your own).
	@$(PYTHON) -m sluice_dev.demo.prepare

##@ benchmarks (on a machine that does nothing else)

.PHONY: bench-promote
bench-promote: $(ENV)  ## 20 promotions under 200 requests/s: which requests are lost? Writes build/bench/promote.json.
	@$(PYTHON) -m sluice_dev.bench promote

.PHONY: bench-rollback
bench-rollback: $(ENV)  ## 30 rollbacks of a version that fails half: how fast? Writes build/bench/rollback.json.
	@$(PYTHON) -m sluice_dev.bench rollback

.PHONY: bench-faults
bench-faults: $(ENV)  ## The operator killed at every boundary, its leader deleted 30 times: do rollouts end as they should? Writes build/bench/faults.json.
	@$(PYTHON) -m sluice_dev.bench faults

.PHONY: bench-exits
bench-exits: $(ENV)  ## 10 versions that exit under traffic: what do they cost, are they out at the second exit? Writes build/bench/exits.json.
	@$(PYTHON) -m sluice_dev.bench exits

.PHONY: bench-latency
bench-latency: $(ENV)  ## Versions that are 50, 30, 20% slower than stable: how soon are they taken back? Half an hour. Writes build/bench/latency.json.
	@$(PYTHON) -m sluice_dev.bench latency

.PHONY: bench-scrapes
bench-scrapes: $(ENV)  ## A version that fails half at scrape intervals of 2, 15, 30 s: how many bad requests? Writes build/bench/scrapes.json.
	@$(PYTHON) -m sluice_dev.bench scrapes

.PHONY: bench-healthy
bench-healthy: $(ENV)  ## 104 versions as good as stable, 8 at once: how many are taken back? Half an hour. Writes build/bench/healthy.json.
	@$(PYTHON) -m sluice_dev.bench healthy

.PHONY: bench-killed
bench-killed: $(ENV)  ## 20 rollouts whose operator is killed every 20 s: same verdicts, nothing counted twice? Writes build/bench/killed.json.
	@$(PYTHON) -m sluice_dev.bench killed

.PHONY: bench-scale
bench-scale: $(ENV)  ## 1, 100 and 1,000 rollouts at once, without a cluster: questions and milliseconds of a tick. Writes build/bench/scale.json.
	@$(PYTHON) -m sluice_dev.scale

ROUNDS ?= 50
MINUTES ?= 30

.PHONY: bench-drain
bench-drain: $(ENV)  ## Model servers are told to end under 500 requests/s, 50 times (ROUNDS=n): is one lost? Writes build/bench/drain.json.
	@$(PYTHON) -m sluice_dev.serving drain --rounds $(ROUNDS)

.PHONY: bench-soak
bench-soak: $(ENV)  ## A model server at full speed for 30 minutes (MINUTES=n): does it fail or grow? Writes build/bench/soak.json.
	@$(PYTHON) -m sluice_dev.serving soak --minutes $(MINUTES)

.PHONY: bench-restart
bench-restart: $(ENV)  ## A restart of the operator in a rollout of 24 h, with a checkpoint and without, and in 500 random worlds. Writes build/bench/restart.json.
	@$(PYTHON) -m sluice_dev.restart

# One thread each, as the model server itself works.
SINGLE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: bench-model-server
bench-model-server: $(ENV)  ## The model server's speed beside hello-world and MLServer, pinned to a core each. Writes build/bench/model_server.json.
	@$(SINGLE) $(PYTHON) -m sluice_dev.modelbench.speed

.PHONY: bench-answers
bench-answers: $(ENV)  ## Every supported model on 100,000 flights against scikit-learn's own answers. Writes build/bench/answers.json.
	@$(SINGLE) $(PYTHON) -m sluice_dev.modelbench.answers

.PHONY: bench-onnx
bench-onnx: $(ENV)  ## ONNX models on 100,000 flights against onnxruntime's and scikit-learn's own answers. Writes build/bench/onnx.json.
	@$(SINGLE) $(PYTHON) -m sluice_dev.modelbench.graph_answers

.PHONY: bench-hostile
bench-hostile: $(ENV)  ## Pickles, bombs, foreign types and tampered models: refused, or answered rightly. Writes build/bench/hostile.json.
	@$(SINGLE) $(PYTHON) -m sluice_dev.modelbench.hostile

.PHONY: bench-observe
bench-observe: $(ENV)  ## What counting each request's values costs the model server, without a cluster. Writes build/bench/observe.json.
	@$(SINGLE) $(PYTHON) -m sluice_dev.bench.observe

.PHONY: pictures
pictures: $(ENV)  ## Draw the pictures of docs/ that are simulated.
	@$(PYTHON) -m sluice_dev.decisions.example

.PHONY: bench-decisions
bench-decisions: $(ENV)  ## Simulated rollouts judged by the operator's own code (QUICK=1: fewer); goes on where it was interrupted. Writes build/bench/decisions.json.
	@$(PYTHON) -m sluice_dev.decisions $(if $(QUICK),--quick)

# make lab    open the course in JupyterLab          make test    prove that all of it works
# Both make .venv and install requirements.txt first; both may be repeated at any time.
PYTHON ?= python3
PY := .venv/bin/python
LAB_OPTIONS ?=
CODE := segedu tests tools benchmarks notebooks setup.py
THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: lab test environment lint types unit processes validate browser notebooks bench site diagrams wheelhouse clean

# JupyterLab will not serve the administrator unless told to; whether it may is the user's decision.
lab: environment
	@if [ "$$(id -u)" = 0 ] && [ -z "$(findstring --allow-root,$(LAB_OPTIONS))" ]; then \
	    echo "segedu: you are root, and JupyterLab lets root in only when told: make lab LAB_OPTIONS=--allow-root" >&2; exit 1; fi
	$(PY) -m jupyterlab --ServerApp.ip=127.0.0.1 $(LAB_OPTIONS) notebooks/00_pixels.ipynb

test: environment lint types unit processes validate browser
	@echo "All of the course works on this machine."

environment:
	@$(PYTHON) tools/environment.py

lint: environment
	$(PY) -m ruff check $(CODE)
	$(PY) -m ruff format --check $(CODE)

types: environment
	$(PY) -m mypy

unit: environment
	$(THREADS) $(PY) -m pytest -q -p no:nbval -n 2 --dist worksteal -m "not browser and not processes" tests

# Commands as a user types them, two trainers that share a batch, a run that is killed: in processes of their own.
processes: environment
	$(THREADS) $(PY) -m pytest -q -p no:nbval -n 2 --dist loadfile -m processes tests

# Strict: every stored text output is compared. One worker a notebook, as nbval keeps one kernel for each, and one
# thread a worker: two that share two cores spend their time waiting for each other.
validate: environment
	$(THREADS) $(PY) -m pytest -q --nbval --nbval-current-env --nbval-cell-timeout 120 --nbval-kernel-startup-timeout 120 \
	    --nbval-sanitize-with tests/nbval_sanitize.cfg -n 2 --dist loadfile -p no:cacheprovider notebooks

browser: environment
	$(PY) -m pytest -q -m browser tests/browser

# Execute all notebooks again and store their outputs, after a change to the lessons or to what they show.
notebooks: environment
	$(PY) tools/notebooks.py

# Measure against peers (their packages come with the [bench] extra); results go to benchmarks/results.
bench: environment
	$(PY) -m pip install -q --disable-pip-version-check -e ".[bench]"
	mkdir -p benchmarks/results
	for script in streets upsample unpool losses metrics boundaries confidence ood crf receptive_field models explorers; do $(PY) benchmarks/$$script.py --json benchmarks/results/$$script.json || exit 1; done

# All lessons as pages that need neither network nor kernel: site/index.html.
site: environment
	$(PY) tools/make_site.py

# Draw the diagrams of assets/diagrams again, after a change to a model or to how it is drawn.
diagrams: environment
	$(PY) tools/diagrams.py

# Every package that the course needs, for machines without a network; TEACHING.md says how they use it.
wheelhouse: environment
	$(PY) -m pip download -q --disable-pip-version-check --exists-action w -d wheelhouse -r requirements.txt "setuptools>=77"

clean:
	rm -rf build site .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

# make demo    set up, and watch a simulated person with a simulated implant steer a cursor, on a page (no hardware)
# make test    set up, lint, and run the tests (EXTRAS=test,... chooses the extras; tests of what is missing are left out, and say so)
# make lint    ruff and mypy alone
# make soak    the long tests
# make wheels  the compiled and the pure wheel, in dist/

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
READY := .venv/.ready-demo
TESTS := .venv/.ready-test
EXTRAS ?= test,web,io,robot,scale,files

.PHONY: demo venv test lint soak wheels resolve clean browser

demo: $(READY)
	@if [ -t 1 ]; then $(BIN)/bcikit demo; else $(BIN)/bcikit demo --no-browser --seconds 30; fi

venv: $(READY)

.venv/bin/python:
	$(PYTHON) -m venv .venv

$(READY): .venv/bin/python pyproject.toml setup.py constraints.txt $(wildcard bcikit/kernels/*.c bcikit/kernels/*.h)
	@echo "Setting up .venv (a few minutes the first time) ..."
	$(PIP) --editable ".[web]"
	@touch $@

$(TESTS): $(READY)
	$(PIP) --editable ".[$(EXTRAS)]"
	@touch $@

lint: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Tests of the page need a browser: Debian's, where none is there and this user may install it; else they are left out, and say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "No Chromium here: tests of the page are left out (apt-get install chromium)."

# What is paced by the wall clock mostly waits; it runs after the rest, so that a busy machine does not spoil it.
test: lint browser
	$(BIN)/python -m pytest -n 2 -m "not soak and not realtime"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "realtime and not soak"

soak: $(TESTS) browser
	BCIKIT_SOAK=1 $(BIN)/python -m pytest -m "soak or not realtime" --timeout 3600
	BCIKIT_SOAK=1 $(BIN)/python -m pytest -m "realtime" --timeout 3600

wheels: $(TESTS)
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist
	rm -rf build
	BCIKIT_PURE=1 $(BIN)/python -m build --wheel --outdir dist

# That the base dependencies have wheels for the systems that OpenBCI's users sit at (SciPy's for arm64 begin at macOS 12).
resolve: .venv/bin/python
	@$(call RESOLVE,windows,--platform win_amd64)
	@$(call RESOLVE,macos,--platform macosx_11_0_arm64 --platform macosx_12_0_arm64)

RESOLVE = $(BIN)/python tools/base_dependencies.py | tr '\n' '\0' | xargs -0 $(BIN)/python -m pip download --quiet \
	  --only-binary=:all: --python-version 3.11 --constraint constraints.txt --dest out/$(1) $(2) \
	  && echo "$(1): $$(ls out/$(1) | wc -l) wheels"

clean:
	rm -rf .venv build dist out *.egg-info

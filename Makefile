# The commands of this project; CONTRIBUTING.md says more.
.POSIX:
.PHONY: help demo test check acceptance fuzz format lock clean environment dev-environment test-machine

BIN = .venv/bin
# More for pytest, or for uv: make test ARGS="-k seed -x", make lock ARGS="--upgrade-package prefect"
ARGS =
# How long make fuzz goes on
SECONDS = 600
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

help:
	@echo "make demo        install into .venv, get an engine and an image, run flows/hello, show it in Prefect's UI"
	@echo "make test        the same set-up, then everything: lint, types, layers, tests with engine, server, AWS, browser"
	@echo "make check       lint, format, types, layers: what needs no engine and takes seconds"
	@echo "make acceptance  what takes too long for every day: big sizes, other engines, the newest Python"
	@echo "make fuzz        feed bytes of all kinds to the compiler for SECONDS=600; inputs that break it are kept as cases"
	@echo "make format      rewrite the code in the project's format"
	@echo "make lock        resolve the dependencies of pyproject.toml again"
	@echo "make clean       remove .venv and all caches"

demo: environment
	@$(BIN)/python -m scripts.demo

test: check test-machine
	@echo "==> pytest"
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

acceptance: dev-environment test-machine
	@$(BIN)/pytest -m acceptance --timeout 3600 $(ARGS)
	@$(BIN)/pytest -m "hypothesis and not docker" --hypothesis-profile thorough $(ARGS)
	@$(BIN)/python -m scripts.acceptance

fuzz: dev-environment
	@$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/uv pip install --quiet --python $(BIN)/python atheris
	@$(BIN)/python -m scripts.fuzz --seconds $(SECONDS)

check: dev-environment
	@echo "==> ruff, mypy, import-linter"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: dev-environment
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: dev-environment
	@$(UV_COMPILE) $(ARGS) pyproject.toml --group build -o requirements.lock
	@$(UV_COMPILE) $(ARGS) pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock
	@$(UV_COMPILE) $(ARGS) --group pyproject.toml:image -o tests/support/aws/awscli.lock
	@$(UV_COMPILE) $(ARGS) --group pyproject.toml:ministack -o tests/support/aws/ministack.lock

clean:
	rm -rf .venv .venv-* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

environment:
	@python=$$(scripts/find-python) && $$python -m scripts.environment requirements.lock

dev-environment:
	@python=$$(scripts/find-python) && $$python -m scripts.environment requirements-dev.lock

test-machine: dev-environment
	@$(BIN)/python -m scripts.test_machine

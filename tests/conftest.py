"""What all tests share: the engines, a Prefect server, and the marker for what is too long for every day."""

pytest_plugins = ["tests.engines.fixtures", "tests.support.acceptance", "tests.support.prefect_server"]

"""What every run shares: hypothesis' settings, and skipping what an absent package makes impossible."""

import importlib
import importlib.util
import os
import warnings

import pytest
from hypothesis import HealthCheck, settings

# No test depends on the clock: neither a deadline nor the "too slow" check.
ANYWHERE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("chainrule", ANYWHERE)
settings.register_profile("chainrule-ci", ANYWHERE, derandomize=True)
settings.load_profile("chainrule-ci" if os.environ.get("CI") else "chainrule")

# A marker, and the package that its tests need. Looked up once, before any test can register a face under
# the name `torch`; looking up does not import.
NEEDS = {"torch": "torch", "gpu": "cupy"}
ABSENT = {package for package in NEEDS.values() if importlib.util.find_spec(package) is None}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, package in NEEDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        if package in ABSENT:
            pytest.skip(f"{package} is not installed")
        with warnings.catch_warnings():  # its import may warn, and here a warning is an error
            warnings.simplefilter("ignore")
            importlib.import_module(package)

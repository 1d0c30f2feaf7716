"""Long-running tests, by `make soak` only. They have the fixtures of tests/docker and the modules and factories of
tests/system."""
import importlib.util
import os
import sys

_tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _load(folder, name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(_tests, folder, "conftest.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_docker = _load("docker", "docker_fixtures")
engine, private_engine, client = _docker.engine, _docker.private_engine, _docker.client
cluster, portico, load = _docker.cluster, _docker.portico, _docker.load

_system = _load("system", "system_fixtures")
make_portico, backend, backends = _system.make_portico, _system.backend, _system.backends


def pytest_configure(config):
    sys.modules["conftest"] = _system  # the modules beside it know it by that name

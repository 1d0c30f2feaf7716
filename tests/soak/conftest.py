"""Long-running tests, by `make soak` only. They have the fixtures of tests/docker and the modules of tests/system."""
import importlib.util
import os

_path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docker", "conftest.py")
_spec = importlib.util.spec_from_file_location("docker_fixtures", _path)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

engine, private_engine, client = _module.engine, _module.private_engine, _module.client
cluster, portico, load = _module.cluster, _module.portico, _module.load

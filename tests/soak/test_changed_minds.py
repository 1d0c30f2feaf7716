"""The long form of tests/docker/test_changed_minds.py. SEED=n walks another way."""
import os

from changed_minds import change_often, service


def test_200_changes_and_20_kills_of_control_fail_no_request(portico, load, client, cluster):
    change_often(portico([service(0, "0")]), load, client, cluster, changes=200, kills=20, seed=int(os.environ.get("SEED", "1")))

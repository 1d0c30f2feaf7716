"""Whatever is asked for in the middle of what: no request fails, and the end is what was asked for last. tests/soak has 200 changes."""
from changed_minds import change_often, patch, service
from engine import wait_until


def test_a_dozen_changes_of_mind_and_two_kills_fail_no_request(portico, load, client, cluster):
    change_often(portico([service(0, "0")]), load, client, cluster, changes=12, kills=2, seed=7)


def test_one_to_eight_to_two_while_they_start_fails_no_request(portico, load):
    p = portico([dict(service(0, "2000"), desiredCount=1)])
    p.wait_routable(1)
    p.wait_served()
    traffic = load(p.port)
    for wanted in (8, 2, 8, 1):
        patch(p, wanted)
        traffic.wait_sent(60)
    wait_until(lambda: p.service().get("phase") == "steady", "steady")
    assert traffic.stop() == []

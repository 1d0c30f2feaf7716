"""SIGHUP, and what a restarted control makes of a file that has been broken since."""

import http.client
import json
import os
import signal
import stat
import time
import urllib.error
import urllib.request

import pytest

from conftest import Load, get, try_get, wait_until


def reload_and_wait(portico, metric):
    before = wait_until(lambda: (v := portico.metric(metric)) is not None and (v,), metric)[0]
    portico.send(signal.SIGHUP)
    portico.wait_metric(metric, lambda v: v == before + 1)


def test_a_bad_configuration_is_refused_and_the_old_one_stays(portico):
    routes = portico.routes()
    with Load(portico.port) as load:
        portico.write_config('{"listeners": 7, "nonsense": true}')
        reload_and_wait(portico, "portico_config_reload_failures_total")
        load.wait_for_more(20)
    assert load.failures == []
    assert "nonsense" in portico.log()
    assert portico.routes() == routes
    assert portico.metric("portico_config_reloads_total") == 0


def test_a_good_configuration_is_taken_over_without_a_failed_request(portico):
    portico.config["services"] = [{"name": "shop", "host": "shop.test", "image": "shop:1", "port": 80}]
    portico.write_config()
    with Load(portico.port) as load:
        reload_and_wait(portico, "portico_config_reloads_total")
        load.wait_for_more(20)
    assert load.failures == []
    assert portico.routes()[("shop.test", "/")] == "shop"
    portico.config["services"] = []
    portico.write_config()
    reload_and_wait(portico, "portico_config_reloads_total")
    assert ("shop.test", "/") not in portico.routes()


def test_the_configuration_wins_over_a_route_that_a_task_asked_for(portico):
    assert portico.routes()[("*", "/")] == "web"
    portico.config["services"] = [{"name": "shop", "host": "*", "path": "/", "image": "shop:1", "port": 80}]
    portico.write_config()
    reload_and_wait(portico, "portico_config_reloads_total")
    wait_until(lambda: portico.routes()[("*", "/")] == "shop", "the configured route")
    assert "is not given: in the configuration, service 'shop' has it" in portico.log()
    portico.config["services"] = []
    portico.write_config()
    reload_and_wait(portico, "portico_config_reloads_total")
    wait_until(lambda: portico.routes().get(("*", "/")) == "web", "the task's route is back")
    portico.wait_serving()


def test_the_limits_of_a_listener_are_taken_over(portico):
    connection = http.client.HTTPConnection("127.0.0.1", portico.port, timeout=60)

    def ask():
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        return response.status

    def set_limit(requests):
        portico.config["listeners"][0]["requestsPerSecondPerWorker"] = requests
        portico.write_config()
        reload_and_wait(portico, "portico_config_reloads_total")

    assert ask() == 200
    set_limit(1)
    wait_until(lambda: ask() == 429, "the limit holds, for connections that are there too")
    set_limit(0)
    wait_until(lambda: all(ask() == 200 for _ in range(20)), "the limit has gone")
    assert "only after a restart" not in portico.log()
    connection.close()


def test_a_listener_that_is_not_bound_yet_takes_no_place_of_another(portico):
    first = {"name": "first", "address": "127.0.0.1:1", "proxyProtocol": True}
    portico.config["proxy"]["trustedProxies"] = ["127.0.0.0/8"]
    portico.config["listeners"] = [first, {**portico.config["listeners"][0], "requestsPerSecondPerWorker": 1}]
    portico.write_config()
    reload_and_wait(portico, "portico_config_reloads_total")
    wait_until(lambda: try_get(portico.port) == 429, "the limit of the one that is bound is in force")
    wait_until(lambda: try_get(portico.port) == 200, "and nobody is asked for a PROXY header")
    assert "only after a restart: listeners" in portico.log()


def test_what_needs_a_restart_is_named(portico):
    portico.config["proxy"]["workers"] = 1
    portico.config["cluster"] = "other"
    portico.write_config()
    reload_and_wait(portico, "portico_config_reloads_total")
    line = [l for l in portico.log().splitlines() if "only after a restart" in l]
    assert len(line) == 1 and "proxy.workers" in line[0] and "cluster" in line[0]
    reload_and_wait(portico, "portico_config_reloads_total")
    assert portico.log().count("only after a restart") == 2  # it still is not in force


def test_a_restarted_control_falls_back_to_the_last_good_configuration(portico):
    copy = portico.folder / "state" / "config.last-good.yaml"
    assert stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    portico.write_config("{broken")
    with Load(portico.port) as load:
        old = portico.kill("control")
        portico.wait_for_new("control", old)
        portico.wait_metric("portico_config_fallback", lambda v: v == 1)
        wait_until(portico.is_ready, "ready")
        load.wait_for_more(20)
    assert load.failures == []
    assert "the last good one stays in force" in portico.log()
    portico.write_config()
    reload_and_wait(portico, "portico_config_reloads_total")
    assert portico.metric("portico_config_fallback") == 0


def test_an_endpoint_leaves_and_another_comes_without_a_failed_request(portico, backends):
    first = json.loads(portico.endpoints_path.read_text())["endpoints"][0]["address"]
    second = backends()
    with Load(portico.port) as load:
        portico.write_endpoints([("web", first), ("web", second.address)])
        portico.wait_metric("portico_published_endpoints", lambda v: v == 2)
        load.wait_for_more(20)
        portico.write_endpoints([("web", second.address)])
        portico.wait_metric("portico_published_endpoints", lambda v: v == 1)
        load.wait_for_more(20)
    assert load.failures == []


def test_a_route_stays_when_its_last_task_has_gone(portico):
    portico.write_endpoints([])
    portico.wait_metric("portico_published_endpoints", lambda v: v == 0)
    status = wait_until(lambda: portico.routes().get(("*", "/")), "the route")
    assert status == "web"
    spent_s = []
    for _ in range(10):  # at once, that is: what else the machine does only ever makes one slower
        began = time.monotonic()
        assert get(portico.port)[0] == 503
        spent_s.append(time.monotonic() - began)
    assert min(spent_s) < 1, spent_s


def test_a_dead_endpoint_is_kept_out_by_its_health_check(portico, backends):
    second = backends()
    first = json.loads(portico.endpoints_path.read_text())["endpoints"][0]["address"]
    portico.write_endpoints([("web", first), ("web", "127.0.0.1:1"), ("web", second.address)])
    portico.wait_metric("portico_published_endpoints", lambda v: v == 2)
    with Load(portico.port) as load:
        load.wait_for_more(50)
    assert load.failures == []


@pytest.mark.long
def test_without_a_healthy_task_requests_go_to_those_that_were(portico, backend):
    """The only task is away for longer than its checks put up with; when it is back it serves, whatever they say by then."""
    backend.stop()
    portico.wait_metric("portico_services_failing_open", lambda v: v == 1)
    assert get(portico.port)[0] == 502  # it was tried
    assert "no task is healthy, requests go to the 1 that were" in portico.log()
    backend.start()
    assert get(portico.port)[0] == 200
    portico.wait_metric("portico_services_failing_open", lambda v: v == 0)
    assert get(portico.port)[0] == 200


def test_a_new_admin_token_is_in_force_after_a_reload(portico):
    portico.config["admin"]["token"] = "a-new-token-of-some-length"
    portico.write_config()
    portico.send(signal.SIGHUP)

    def status(headers):
        request = urllib.request.Request(f"http://127.0.0.1:{portico.admin_port}/v1/services", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    wait_until(lambda: status({}) == 401, "the API asks for the token")
    assert status({"Authorization": "Bearer a-new-token-of-some-length"}) == 200

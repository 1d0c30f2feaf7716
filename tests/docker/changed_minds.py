"""Random changes of mind under load: the number, the definition, how long tasks take to start, and kills of control."""
import random
import signal
import time

from engine import wait_until
from portico_run import IMAGE

STARTS_MS = ["0", "1000", "5000"]


def service(version, startup_ms):
    return {"name": "web", "image": IMAGE, "port": 8080, "desiredCount": 2, "stopTimeout": "2s", "deregistrationDelay": "10s",
            "environment": {"V": str(version), "STARTUP_DELAY_MS": startup_ms},
            "healthCheck": {"path": "/health", "interval": "1s", "timeout": "1s"}}


def patch(p, desired):
    """Control may be restarting: asked again until it has said yes."""
    wait_until(lambda: (p.api("/v1/services/web", "PATCH", {"desiredCount": desired}) or {}).get("desiredCount") == desired,
               f"{desired} are desired")


def change_often(p, load, client, cluster, changes, kills, seed):
    rng = random.Random(seed)
    print(f"seed {seed}")
    p.wait_routable(2)
    p.wait_served()
    traffic = load(p.port, per_second=300)
    desired, version = 2, 0
    kill_at = set(rng.sample(range(changes), kills))
    for i in range(changes):
        if rng.random() < 0.65:
            desired = rng.randint(1, 6)
            patch(p, desired)
        else:
            version += 1
            p.config["services"] = [service(version, rng.choice(STARTS_MS))]
            p.write_config()
            p.process.send_signal(signal.SIGHUP)
        if i in kill_at:
            p.kill_child("control")
        time.sleep(rng.uniform(0.1, 5.0))  # the distance of two changes, not a guess
    final = p.config["services"][0]["environment"]["V"]

    def is_as_asked():
        found = client.containers.list(all=True, ignore_removed=True, filters={"label": f"portico.cluster={cluster}"})
        told = p.service()
        return (len(found) == desired == told.get("desiredCount") and told["phase"] == "steady"
                and all(f"V={final}" in c.attrs["Config"]["Env"] for c in found))

    wait_until(is_as_asked, f"{desired} tasks of version {final} and nothing else", 400)
    traffic.wait_sent(300)
    failures = traffic.stop()
    print(f"{traffic.sent} requests, {len(failures)} failed")
    assert failures == [], (seed, len(failures), traffic.sent, failures[:5])

"""From turns to figures: medians, and ratios that are taken within a round before anything is summed up."""
import statistics

from harness import peers

DIGITS = 3
MIB = 1 << 20
BODY_BYTES_LEAST = 16384  # from here on the cost of a mebibyte is told
CURVE_POINTS = (0, 10, 25, 50, 60, 70, 75, 80, 85, 90, 92, 94, 95, 96, 97, 98, 98.5, 99, 99.25, 99.5, 99.75, 99.9, 99.95, 99.99)


def median_of(values):
    known = [v for v in values if v is not None]
    return statistics.median(known) if known else None


def span_of(values):
    known = [v for v in values if v is not None]
    return {"median": round(statistics.median(known), DIGITS), "min": round(min(known), DIGITS),
            "max": round(max(known), DIGITS)} if known else None


def pairwise_ratios(own, base):
    """own and base: figures of the same rounds, in order. None where one is missing or the base is 0."""
    return span_of([o / b for o, b in zip(own, base) if o is not None and b])


def better_rival(rows, values_of):
    """The row of that peer whose median is the lowest; None without any, and when one of them has no figure: it might have
    been the better one. values_of(row): a figure for each round."""
    rivals = [row for row in rows if peers.is_rival(row.standing.name)]
    medians = [None if row.problem else median_of(values_of(row)) for row in rivals]
    if not rivals or None in medians:
        return None
    return min(zip(medians, rivals), key=lambda pair: pair[0])[1]


def against_better_rival(row, rows, values_of):
    """{"name", "median", "min", "max"}: a figure of this row as a share of the better peer's, taken within rounds."""
    rival = better_rival(rows, values_of)
    span = pairwise_ratios(values_of(row), values_of(rival)) if rival and not row.problem else None
    return {"name": rival.standing.name, **span} if span else None


def merge_buckets(buckets):
    """[value, count] of several turns as one."""
    total = {}
    for value, count in buckets:
        total[value] = total.get(value, 0) + count
    return sorted(total.items())


def percentile_of(buckets, percentile):
    """buckets: rising [value, count]."""
    wanted = sum(count for _, count in buckets) * percentile / 100
    reached = 0
    for value, count in buckets:
        reached += count
        if reached >= wanted and reached > 0:
            return value
    return buckets[-1][0] if buckets else None


def latency_curve(buckets):
    """[percentile, us]; a percentile that fewer than 10 answers lie beyond is left out: it would be chance."""
    total = sum(count for _, count in buckets)
    return [[p, percentile_of(buckets, p)] for p in CURVE_POINTS if total * (100 - p) / 100 >= 10]


def rounded(value, digits=DIGITS):
    return None if value is None else round(value, digits)


def cpu_of(row):
    """For each round; None for one without a figure."""
    return [turn.cpu_us_per_request if turn else None for turn in row.turns]


def p99_of(row):
    """For each round; None for one without a figure."""
    return [turn.drive.p99_us if turn else None for turn in row.turns]


def cpu_us_per_mib(load, cpu):
    """cpu: the summed up time of a request. None where bodies are not what it is about."""
    body_bytes = max(load.response_bytes or 0, load.body_bytes)
    return round(cpu["median"] * MIB / body_bytes, DIGITS) if cpu and body_bytes >= BODY_BYTES_LEAST else None


def result(scenario, row, others):
    """others: the rows of the same load, this one among them. A row with a problem has no figures."""
    standing, load = row.standing, row.load
    base = {"scenario": scenario.name, "proxy": standing.name, "rate": load.rate, "connections": load.connections,
            "problem": row.problem}
    turns = [] if row.problem else [turn for turn in row.turns if turn]
    drives = [turn.drive for turn in turns]
    buckets = merge_buckets(pair for drive in drives for pair in drive.buckets)
    ratios = {}
    for other in others:
        if other is not row and turns and not other.problem:
            ratios[other.standing.name] = pairwise_ratios(cpu_of(row), cpu_of(other))
    ratios = {name: span for name, span in ratios.items() if span}
    relay = ratios.get("relay")
    if standing.name == "relay" and turns:
        relay = {"median": 1.0, "min": 1.0, "max": 1.0}
    answered = sum(drive.requests for drive in drives)
    cpu = span_of(cpu_of(row)) if turns else None
    rps = span_of([drive.ok_per_s for drive in drives])
    return {
        **base,
        "rps": rounded(rps["median"], 1) if rps else None,
        "rps_min": rounded(rps["min"], 1) if rps else None,
        "rps_max": rounded(rps["max"], 1) if rps else None,
        "cpu_us_per_request": cpu["median"] if cpu else None,
        "cpu_us_per_request_min": cpu["min"] if cpu else None,
        "cpu_us_per_request_max": cpu["max"] if cpu else None,
        "cpu_share": rounded(median_of(turn.cpu_share for turn in turns)) if cpu else None,
        "ratio_to_relay": relay["median"] if relay else None,
        "ratio_to_relay_min": relay["min"] if relay else None,
        "ratio_to_relay_max": relay["max"] if relay else None,
        "cpu_ratios": ratios,
        "cpu_to_better_peer": against_better_rival(row, others, cpu_of),
        "cpu_us_per_mib": cpu_us_per_mib(load, cpu),
        "p50_us": rounded(median_of(drive.p50_us for drive in drives), 1),
        "p99_us": rounded(median_of(drive.p99_us for drive in drives), 1),
        "p99_us_max": rounded(max((d.p99_us for d in drives if d.p99_us is not None), default=None), 1),
        "p999_us": rounded(median_of(drive.p999_us for drive in drives), 1),
        "p99_to_better_peer": against_better_rival(row, others, p99_of) if load.shape == "rate" else None,
        "saturation_share": load.saturation_share,
        "latency_curve": latency_curve(buckets),
        "error_share": rounded(sum(drive.failed for drive in drives) / answered, 6) if answered else None,
        "syscalls_per_request": row.calls["all"] if row.calls else None,
        "syscalls_by_kind": row.calls,
        "instructions_per_request": rounded(row.instructions, 0),
        "rss_kib": rounded(median_of(turn.rss_kib for turn in turns), 0),
        "pss_kib": rounded(median_of(turn.pss_kib for turn in turns), 0),
        "changes": sum(turn.changes for turn in turns) or None,
        "rounds": len(turns),
        "rounds_invalid": len(row.turns) - len(turns) if turns else None,
        "turns_repeated": row.repeated,
        "foreign_share_max": rounded(max((turn.foreign_share for turn in turns), default=None)),
    }


def results(scenario, rows):
    found = []
    for row in rows:
        found.append(result(scenario, row, [other for other in rows if other.load == row.load]))
    return found

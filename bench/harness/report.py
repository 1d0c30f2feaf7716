"""The results for people: one table for each scenario, on the terminal and as Markdown."""

from harness import goals, syscalls

COLUMNS = (
    # title, width, how
    ("proxy", 15, lambda r: r["proxy"]),
    ("rate", 6, lambda r: number(r.get("rate"))),
    ("requests/s", 10, lambda r: number(r["rps"])),
    ("CPU us/req", 10, lambda r: number(r["cpu_us_per_request"], 2)),
    ("x relay", 8, lambda r: number(r["ratio_to_relay"], 3)),
    ("min-max", 11, lambda r: span(r, "ratio_to_relay")),
    ("x better peer", 8, lambda r: against(r, "cpu_to_better_peer")),
    ("CPU us/MiB", 10, lambda r: number(r.get("cpu_us_per_mib"), 1)),
    ("p50 us", 8, lambda r: number(r["p50_us"])),
    ("p99 us", 8, lambda r: number(r["p99_us"])),
    ("p99.9 us", 8, lambda r: number(r.get("p999_us") if r.get("rate") else None)),
    ("p99 x better peer", 8, lambda r: against(r, "p99_to_better_peer")),
    ("read+write", 9, lambda r: calls(r, 0)),
    ("epoll_ctl", 9, lambda r: calls(r, 1)),
    ("epoll_wait", 9, lambda r: calls(r, 2)),
    ("other calls", 9, lambda r: calls(r, 3)),
    ("instr/req", 9, lambda r: number(r["instructions_per_request"])),
    ("RSS KiB", 8, lambda r: number(r["rss_kib"])),
    ("B/idle conn", 8, lambda r: spread(r.get("idle_bytes"))),
    ("heap B/idle conn", 8, lambda r: number(r.get("idle_heap_bytes"))),
    ("errors", 8, lambda r: share(r["error_share"])),
    ("reference", 9, lambda r: number(r.get("reference_ratio"), 3)),
)


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}" if digits == 0 else f"{value:.{digits}f}"


def span(result, key):
    if result.get(key) is None or result["proxy"] == "relay":
        return "-"
    return f"{result[key + '_min']:.2f}-{result[key + '_max']:.2f}"


def share(value):
    return "-" if value is None else "0" if value == 0 else f"{value:.3%}"


def spread(found, digits=0):
    """A median and its range, where there is one."""
    if not found:
        return "-"
    text = [number(found[key], digits) for key in ("median", "min", "max")]
    return text[0] if text[1] == text[2] else f"{text[0]} ({text[1]}-{text[2]})"


def against(result, key):
    """Of the better peer itself there is nothing to say."""
    found = result.get(key)
    return "-" if not found or found["name"] == result["proxy"] else spread(found, 2)


def calls(result, number_in_four):
    kinds = result.get("syscalls_by_kind")
    return number(syscalls.in_four(kinds)[number_in_four], 2) if kinds else "-"


def columns_for(results):
    """Those that say something in this table."""
    return [c for c in COLUMNS if c[0] == "proxy" or any(c[2](r) != "-" for r in results)]


def notes_on(results):
    """Lines below a table: what one must know before one believes it."""
    lines = [f"{r['proxy']}{at_rate(r)}: no figures: {r['problem']}" for r in results if r["problem"]]
    noisy = [r for r in results if (r.get("foreign_share_max") or 0) > 0.05]
    if noisy:
        worst = max(noisy, key=lambda r: r["foreign_share_max"])
        lines.append(f"noisy: in a round of {worst['proxy']}, others used {worst['foreign_share_max']:.0%} of the proxy's core")
    repeated = sum(r.get("turns_repeated") or 0 for r in results)
    if repeated:
        lines.append(f"{repeated} disturbed turns were done again")
    invalid = sum(r.get("rounds_invalid") or 0 for r in results)
    if invalid:
        lines.append(f"{invalid} turns were left out: the generator could not keep its times, which it checks itself")
    for r in results:
        if (r.get("syscalls_by_kind") or {}).get("names"):
            names = ", ".join(f"{name} {count:.3g}" for name, count in r["syscalls_by_kind"]["names"].items())
            lines.append(f"system calls per request of {r['proxy']}: {names}")
    saturated = next((r["saturated_rps"] for r in results if r.get("saturated_rps")), None)
    if saturated:
        rates = ", ".join(f"{name} {number(rps)}" for name, rps in saturated.items())
        lines.append(f"saturated rates in closed loops just before, requests/s: {rates}")
    for r in results:
        if r.get("access_log_lines") is not None:
            lines.append(f"{r['proxy']} wrote {number(r['access_log_lines'])} lines to its log")
        if r.get("figures"):
            lines.append(", ".join(f"{key} {value}" for key, value in r["figures"].items()))
    return lines


def at_rate(result):
    return f" at {result['rate']:g}/s" if result.get("rate") else ""


def comparison_lines(results):
    """What Portico costs beside each other proxy, from ratios within rounds."""
    lines = []
    for r in results:
        others = {n: s for n, s in (r.get("cpu_ratios") or {}).items() if n != "relay"}
        if r["proxy"].partition("-")[0] == "portico" and others:
            pairs = ", ".join(f"{n} {s['median']:.2f} ({s['min']:.2f}-{s['max']:.2f})" for n, s in others.items())
            lines.append(f"{r['proxy']}'s CPU time per request{at_rate(r)} as a share of that of {pairs}")
    return lines


def attach_reference(results, reference):
    """reference: an earlier document's results. Only the ratio carries over from one machine to another."""
    def key(r):
        return r["scenario"], r["proxy"], r.get("saturation_share") or r.get("rate")

    known = {key(r): r.get("ratio_to_relay") for r in reference}
    return [{**r, "reference_ratio": known.get(key(r))} for r in results]


def text_table(results):
    columns = columns_for(results)
    rows = [[c[0] for c in columns]] + [[c[2](r) for c in columns] for r in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))
                     for row in rows)


def markdown_table(results):
    columns = columns_for(results)
    lines = ["| " + " | ".join(c[0] for c in columns) + " |", "|---" + "|--:" * (len(columns) - 1) + "|"]
    lines += ["| " + " | ".join(c[2](r) for c in columns) + " |" for r in results]
    return "\n".join(lines)


def scenario_text(scenario, results):
    return "\n".join(["", f"{scenario.name}: {scenario.title}", text_table(results), *comparison_lines(results),
                      *notes_on(results)])


def scenario_markdown(scenario, results):
    lines = [f"## {scenario.name}: {scenario.title}", "", scenario.why, "", markdown_table(results), ""]
    below = comparison_lines(results) + notes_on(results)
    return "\n".join(lines + [f"- {line}" for line in below] + ([""] if below else []))


def markdown(document, parts):
    """parts: (scenario, results) in order."""
    names = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    head = [f"# Benchmark of {document['at']}", "", f"{document['machine_line']}; commit {document['commit'] or 'none'}; {names}.",
            f"Generator: {document['generator']}.", ""]
    return "\n".join(head + [goals_markdown(document["goals"])] + [scenario_markdown(*part) for part in parts])


def goals_rows(found):
    return [["goal", "measured (range)", "met?"]] + [[g["goal"], spread(g["measured"], g["digits"]), goals.verdict(g)]
                                                     for g in found]


def goals_text(found):
    """The last table on the terminal; empty when no scenario of a goal was run."""
    rows = goals_rows(found)
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(["", "goals (judged by the median):", *lines]) if found else ""


def goals_markdown(found):
    if not found:
        return ""
    head, *rows = goals_rows(found)
    lines = ["## Goals", "", "| " + " | ".join(head) + " |", "|---|--:|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows] + [""])

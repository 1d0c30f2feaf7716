"""Curves of a run, drawn by gnuplot as SVG and PNG."""
import os
import subprocess

from harness import machine

COLOURS = {"portico": "#b2182b", "nginx": "#1b7837", "haproxy": "#2166ac", "relay": "#888888", "direct": "#bbbbbb",
           "caddy": "#e08214", "h2o": "#762a83"}
DASHES = {"": 1, "-16k": 2, "-64k": 2, "-least": 2, "-retry": 3, "-reload": 4, "-socket": 5, "-burn": 2}
TERMINALS = {"svg": "svg size 860,480 background '#ffffff' font 'sans-serif,13'",
             "png": "pngcairo size 1290,720 background '#ffffff' font 'sans,14' linewidth 1.5"}


def _style(proxy):
    base, _, variant = proxy.partition("-")
    colour = COLOURS.get(base, "#333333")
    return f"lc rgb '{colour}' dt {DASHES.get('-' + variant if variant else '', 6)} lw 2"


def _block(name, rows):
    return f"${name} << END\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\nEND\n"


def latency_script(title, results):
    """Latency against percentile, the axis stretched towards 100 % so that the tail can be seen."""
    curves = [(r, r["latency_curve"]) for r in results if r.get("latency_curve")]
    if not curves:
        return None
    text = "".join(_block(f"d{i}", [[1 / (1 - p / 100), us / 1000] for p, us in curve if p < 100])
                   for i, (_, curve) in enumerate(curves))
    marks = ", ".join(f"'{p}%%' {1 / (1 - p / 100):.6g}" for p in (50, 90, 99, 99.9, 99.99))
    lines = ", ".join(f"$d{i} using 1:2 with lines {_style(r['proxy'])} title '{r['proxy']}'" for i, (r, _) in enumerate(curves))
    return (f"{text}set title '{title}'\nset logscale xy\nset xtics ('0%%' 1, {marks})\nset xlabel 'percentile of requests'\n"
            f"set ylabel 'latency, ms'\nset key left top\nset grid\nplot {lines}\n")


def rate_script(title, results):
    """Answered against offered requests, and the share of a core that it took."""
    proxies = list(dict.fromkeys(r["proxy"] for r in results if r.get("rate") and r["rps"]))
    points = {p: sorted((r["rate"], r["rps"], r["cpu_share"] or 0) for r in results
                        if r["proxy"] == p and r.get("rate") and r["rps"]) for p in proxies}
    if not any(len(rows) > 1 for rows in points.values()):
        return None
    text = "".join(_block(f"d{i}", points[p]) for i, p in enumerate(proxies))

    def lines(column):
        return ", ".join(f"$d{i} using 1:{column} with linespoints pt 7 ps 0.5 {_style(p)} title '{p}'"
                         for i, p in enumerate(proxies))

    return (f"{text}set multiplot layout 1,2 title '{title}'\nset grid\nset key left top\nset format x '%.0s%c'\nset xlabel 'offered requests/s'\n"
            f"set ylabel 'answered requests/s'\nplot x with lines dt 3 lc rgb '#999999' notitle, {lines(2)}\n"
            f"set ylabel 'share of the core'\nplot {lines(3)}\nunset multiplot\n")


def tasks_script(title, results):
    """Two panels, one time axis: load above, tasks below."""
    timeline = next((r["timeline"] for r in results if r.get("timeline")), None)
    if not timeline:
        return None
    rows = [[-1 if cell is None else cell for cell in row] for row in timeline]
    known = "(${0} < 0 ? NaN : ${0})"
    return (_block("d", rows) + f"set multiplot layout 2,1 title '{title}'\nset grid\nset key left top\nset yrange [0:*]\nset offsets 0, 0, 1, 0\nset lmargin 9\n"
            "set ylabel 'requests/s'\nplot $d using 1:2 with steps lc rgb '#999999' lw 2 title 'offered', "
            "$d using 1:3 with steps lc rgb '#2166ac' lw 2 title 'answered', "
            "$d using 1:4 with steps lc rgb '#b2182b' lw 2 title 'failed'\n"
            "set xlabel 'seconds'\nset ylabel 'tasks'\n"
            f"plot $d using 1:{known.format(6)} with steps lc rgb '#bbbbbb' lw 6 title 'wanted', "
            f"$d using 1:{known.format(5)} with steps lc rgb '#1b7837' lw 2 title 'healthy'\nunset multiplot\n")


SCRIPTS = {"latency": latency_script, "rate": rate_script, "tasks": tasks_script}


def _scripts_for(scenario, results):
    title = f"{scenario.name}: {scenario.title}".replace("'", "")
    if len(scenario.loads) > 1:
        yield "rate", rate_script(title, results)
    elif scenario.kind == "containers":
        yield "tasks", tasks_script(title, results)
    else:
        yield "latency", latency_script(title, results)


def draw(folder, stem, scenario, results, say):
    """Paths of what was drawn. Without gnuplot: nothing; the caller has said so once."""
    made = []
    for kind, script in _scripts_for(scenario, results):
        if not script:
            continue
        for ending, terminal in TERMINALS.items():
            path = os.path.join(folder, f"{stem}-{scenario.name}-{kind}.{ending}")
            done = subprocess.run([machine.find_program("gnuplot")], input=f"set terminal {terminal}\nset output '{path}'\n{script}",
                                  capture_output=True, text=True)
            if done.returncode != 0:
                say(f"{scenario.name}: gnuplot: {done.stderr.strip().splitlines()[-1:]}")
                break
            made.append(path)
    return made


def is_possible():
    return machine.find_program("gnuplot") is not None

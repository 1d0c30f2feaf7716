"""Draws the demo's rows (seconds, offered requests/s, healthy tasks, wanted tasks) as SVG: load above, tasks below, one time
axis. Two panels, since one with two scales would suggest crossings that mean nothing."""

WIDTH, LEFT, RIGHT = 860, 64, 130
PANELS = ((40, 150), (250, 150))  # top, height
INK, GRID, LOAD, HEALTHY, WANTED = "#333", "#ddd", "#2166ac", "#1b7837", "#999"


def nice_step(most, lines=4):
    step = 1
    while step * lines < most:
        step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    return step


def panel(rows, top, height, most, title, series):
    end = max(rows[-1][0], 1)
    step = nice_step(most)
    ceiling = step * -(-max(most, 1) // step)
    x = lambda seconds: LEFT + (WIDTH - LEFT - RIGHT) * seconds / end
    y = lambda value: top + height * (1 - value / ceiling)
    out = [f'<text x="{LEFT}" y="{top - 12}" font-weight="bold">{title}</text>']
    for value in range(0, ceiling + 1, step):
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{GRID}"/>'
                   f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    for seconds in range(0, int(end) + 1, 10):
        out.append(f'<text x="{x(seconds):.1f}" y="{top + height + 18}" text-anchor="middle">{seconds} s</text>')
    for label, column, colour, dash in series:
        path = f"M{x(0):.1f},{y(rows[0][column]):.1f}"
        for before, row in zip([(0,), *rows], rows):
            path += f"H{x(before[0]):.1f}V{y(row[column]):.1f}H{x(row[0]):.1f}"
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
    for i, (label, _, colour, dash) in enumerate(series):
        line = top + 8 + 20 * i
        out.append(f'<line x1="{WIDTH - RIGHT + 12}" x2="{WIDTH - RIGHT + 36}" y1="{line}" y2="{line}" stroke="{colour}"'
                   f' stroke-width="2" stroke-dasharray="{dash}"/><text x="{WIDTH - RIGHT + 42}" y="{line + 4}">{label}</text>')
    return out


def write(path, rows):
    if not rows:
        return
    load = panel(rows, *PANELS[0], max(r[1] for r in rows), "Load, requests per second", [("offered", 1, LOAD, "none")])
    tasks = panel(rows, *PANELS[1], max(max(r[2], r[3]) for r in rows), "Tasks",
                  [("wanted", 3, WANTED, "5 4"), ("healthy", 2, HEALTHY, "none")])
    with open(path, "w") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="440" font-family="sans-serif"'
                  f' font-size="12" fill="{INK}"><rect width="{WIDTH}" height="440" fill="#fff"/>'
                  + "\n".join(load + tasks) + "</svg>\n")

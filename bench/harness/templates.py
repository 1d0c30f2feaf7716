"""Fills the configuration files of bench/peers/*.in. A word between @ is replaced by its value. A line with a word whose
value is a list is there once for each element, or not at all; @NUMBER@ counts them from 1."""
import re

WORD = re.compile(r"@([A-Z_]+)@")


def _fill_line(line, values):
    def value_of(match):
        if match.group(1) not in values:
            raise KeyError(f"no value for {match.group(0)}")
        return str(values[match.group(1)])

    return WORD.sub(value_of, line)


def fill(text, values):
    out = []
    for line in text.splitlines():
        repeated = [w for w in WORD.findall(line) if isinstance(values.get(w), (list, tuple))]
        if not repeated:
            out.append(_fill_line(line, values))
            continue
        for number, element in enumerate(values[repeated[0]], 1):
            out.append(_fill_line(line, {**values, repeated[0]: element, "NUMBER": number}))
    return "\n".join(out) + "\n"

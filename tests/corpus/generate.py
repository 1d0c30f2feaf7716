#!/usr/bin/python3
"""Writes requests.tsv and responses.tsv from request_cases.py and response_cases.py; --check only compares them."""
import os
import sys

import corpus_file
import request_cases
import response_cases


def contents(kind, cases):
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two cases have the name {twice}"
    head = "# Written by tests/corpus/generate.py; the format is described in corpus_file.py.\n# " + "\t".join(
        kind._fields
    )
    return head + "\n" + "".join(corpus_file.write_line(case) + "\n" for case in cases)


def main():
    wrong = False
    for name, kind, cases in (
        ("requests.tsv", corpus_file.Request, request_cases.cases()),
        ("responses.tsv", corpus_file.Response, response_cases.cases()),
    ):
        path = os.path.join(corpus_file.FOLDER, name)
        text = contents(kind, cases)
        if "--check" not in sys.argv:
            with open(path, "w", encoding="ascii", newline="\n") as f:
                f.write(text)
            print(f"{name}: {len(cases)} cases")
        elif not os.path.exists(path) or open(path, encoding="ascii", newline="\n").read() != text:
            print(f"tests/corpus/{name}:1: is not what tests/corpus/generate.py writes; run it")
            wrong = True
    sys.exit(wrong)


if __name__ == "__main__":
    main()

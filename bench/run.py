#!/usr/bin/python3
"""Measures proxies beside a blind relay; see docs/benchmarks.md and --help."""
import sys

from harness import command

if __name__ == "__main__":
    sys.exit(command.run(sys.argv[1:]))

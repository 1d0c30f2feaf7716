#!/bin/sh
# The files of the corpus are what its generator writes.
set -u
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/corpus/generate.py --check

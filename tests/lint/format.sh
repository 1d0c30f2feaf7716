#!/bin/sh
# Formatted by .clang-format; `make format` repairs it. Without clang-format there is nothing to compare with.
set -u
. tests/lint/sources.sh
command -v clang-format >/dev/null || { echo "clang-format is not installed: format not checked"; exit 0; }
files '*.c' '*.h' | xargs -P 2 -n 40 clang-format --dry-run -Werror

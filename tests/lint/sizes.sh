#!/bin/sh
# A file that fits a reader's head: .c above 500 lines warns, above 600 fails; .h above 150 warns, above 200 fails; a
# function of more than 100 lines fails (formatted code: from the "{" in column 0 to the "}" in column 0). Files of tests
# are only warned about: a table of cases has no better place.
set -u
. tests/lint/sources.sh
files '*.c' '*.h' | xargs awk '
    function judge(file, lines) {
        warn = file ~ /\.h$/ ? 150 : 500
        fail = file ~ /\.h$/ ? 200 : 600
        if (lines > fail && file !~ /^tests\//) { printf "%s:%d: %d lines, at most %d are allowed\n", file, lines, lines, fail; failed = 1 }
        else if (lines > warn) printf "%s:%d: warning: %d lines, better at most %d\n", file, lines, lines, warn
    }
    FNR == 1 { if (previous != "") judge(previous, last); previous = FILENAME; start = 0 }
    { last = FNR }
    /^{/ { start = FNR }
    /^}/ && start {
        if (FNR - start - 1 > 100) {
            printf "%s:%d: function of %d lines, at most 100 are allowed\n", FILENAME, start, FNR - start - 1
            failed = 1
        }
        start = 0
    }
    END { judge(previous, last); exit failed }'

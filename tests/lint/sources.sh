# Sourced by the rules: the repository's own files, tracked or not yet. Usage: files PATTERN...
files() {
    git ls-files -co --exclude-standard -- "$@" | while read -r file; do [ -f "$file" ] && echo "$file"; done
}
MODULES='base config discovery controller proxy admin daemon'

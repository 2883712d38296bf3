#!/usr/bin/env bash
# Prints the licences of the libraries in a binary: what must accompany it when it is distributed.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SOURCES=${CARGO_HOME:-$HOME/.cargo}/registry/src

usage() {
    cat <<'EOF_USAGE'
usage: dev/third-party.sh >FILE

Run it after a build. Prints the name and licence of each library of Cargo.lock whose sources cargo has unpacked, and
each of their licence texts and notices once. Libraries of tests may be among them. Fails if there is no library.
EOF_USAGE
}

case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
esac

# libraries: prints NAME-VERSION of each library of Cargo.lock that comes from a registry.
libraries() {
    awk -F'"' '/^name = /{ name = $2 } /^version = /{ version = $2 } /^source = "registry/{ print name "-" version }' \
        "$ROOT/Cargo.lock"
}

# texts FOLDER: prints checksum, size and path of the licences and notices of a library, also of the C code in it.
texts() {
    find "$1" -maxdepth 3 -type f \
        ! -name '*.rs' ! -name '*.[ch]' ! -name '*.py' ! -name '*.sh' ! -name '*.json' ! -name '*.toml' \
        \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'unlicense*' -o -iname 'copyright*' \) \
        -exec cksum {} + | LC_ALL=C sort -k 3
}

# unpacked: prints, for each library, `library NAME LICENCE` and a line `text NAME CHECKSUM SIZE PATH` per text.
unpacked() {
    local library folder licence
    while read -r library; do
        for folder in "$SOURCES"/*/"$library"; do
            [[ -d $folder ]] || continue
            licence=$(sed -n 's/^license = "\(.*\)"/\1/p' "$folder/Cargo.toml" | head -n 1)
            echo "library $library ${licence:-see its text}"
            texts "$folder" | sed "s/^/text $library /"
            break
        done
    done < <(libraries)
}

# The tools are those of a small image and of macOS: no associative arrays, no options of GNU.
unpacked | awk -v sources="$SOURCES" '
    $1 == "library" {
        names[++count] = $2
        licences[$2] = substr($0, length($1 $2) + 3)
    }
    $1 == "text" {
        key = $3 " " $4
        if (!(key in paths)) {
            order[++texts] = key
            paths[key] = substr($0, length($1 $2 $3 $4) + 5)
        }
        if (last[key] != $2) users[key] = users[key] "  " $2 "\n"
        last[key] = $2
        has_text[$2] = 1
    }
    END {
        if (count == 0) {
            print "error: no library of Cargo.lock is in " sources ": build windrow first" >"/dev/stderr"
            exit 1
        }
        print "Libraries of windrow, with their licences. The texts follow.\n"
        for (i = 1; i <= count; i++) {
            print "  " names[i] ": " licences[names[i]] (names[i] in has_text ? "" : " (its package holds no text)")
        }
        for (i = 1; i <= texts; i++) {
            printf "\n----------------------------------------\n%s\n", users[order[i]]
            while ((getline line <paths[order[i]]) > 0) print line
            close(paths[order[i]])
        }
    }'

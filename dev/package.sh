#!/usr/bin/env bash
# Packs windrow for this kind of machine: what the workflow `release.yml` publishes.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

usage() {
    cat <<'EOF'
usage: dev/package.sh [--binary FILE]

Builds windrow with the profile `profiling` (the machine code of `release`, with symbols), and writes to target/package:
  windrow-VERSION-TARGET.tar.gz           the stripped binary, the licences, README.md and pipelines/
  windrow-VERSION-TARGET-symbols.tar.gz   its symbols, for backtraces and profilers

  --binary FILE   packs this binary instead of a build

A stripped binary of more than 25 MB is an error.
EOF
}

BINARY=''
while (($# > 0)); do
    case $1 in
        --binary) BINARY=${2:?--binary needs a file}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
TARGET=$(rustc -vV | sed -n 's/^host: //p')
BUILD=${CARGO_TARGET_DIR:-$ROOT/target}
NAME=windrow-$VERSION-$TARGET
OUT=$BUILD/package

if [[ -z $BINARY ]]; then
    cargo build --profile profiling --locked --package windrow
    BINARY=$BUILD/profiling/windrow
fi

rm -rf -- "$OUT"
mkdir -p "$OUT/$NAME" "$OUT/$NAME-symbols"
cp -R LICENSE README.md pipelines "$OUT/$NAME"
dev/third-party.sh >"$OUT/$NAME/THIRD-PARTY.txt"
cp "$BINARY" "$OUT/$NAME/windrow"
if [[ $TARGET == *-apple-* ]]; then
    dsymutil -o "$OUT/$NAME-symbols/windrow.dSYM" "$OUT/$NAME/windrow"
    strip "$OUT/$NAME/windrow"
else
    objcopy --only-keep-debug "$OUT/$NAME/windrow" "$OUT/$NAME-symbols/windrow.debug"
    strip "$OUT/$NAME/windrow"
    # Debuggers find the symbols by this name.
    objcopy --add-gnu-debuglink="$OUT/$NAME-symbols/windrow.debug" "$OUT/$NAME/windrow"
fi
BYTES=$(wc -c <"$OUT/$NAME/windrow")
if ((BYTES > 25000000)); then
    echo "error: the stripped binary has $BYTES bytes, more than 25 MB" >&2
    exit 1
fi
# Both folders hold only what this script has put there.
for folder in "$NAME" "$NAME-symbols"; do
    tar -czf "$OUT/$folder.tar.gz" -C "$OUT" "$folder"
    rm -r -- "${OUT:?}/$folder"
done
ls -l "$OUT"

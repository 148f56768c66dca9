#!/usr/bin/env bash
# Features only ever add: each protocol crate compiles without any, with each one alone, and with all of them.
#
#   tests/features.sh
set -euo pipefail
cd "$(dirname "$0")/.."

tried=0
check() {
  cargo check --locked --quiet --package "$@" || { printf 'does not compile: cargo check --package %s\n' "$*" >&2; exit 1; }
  tried=$((tried + 1))
}

for manifest in protocol/*/Cargo.toml; do
  package=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -1)
  mapfile -t features < <(awk '/^\[/ { inside = /^\[features\]/ } inside && /^[a-z]/ && $1 != "default" { print $1 }' "$manifest")
  check "$package" --no-default-features
  for feature in "${features[@]}"; do
    check "$package" --no-default-features --features "$feature"
  done
  [ ${#features[@]} -eq 0 ] || check "$package" --all-features
done
printf '%d combinations compile\n' "$tried"

#!/bin/sh
# Builds the one static binary of the image, here or in the Dockerfile's first stage: the same line in both.
# Usage: build.sh [PROFILE]; the profile is `release` unless given. It needs a C compiler and glibc's static libraries.
set -eu
cd "$(dirname "$0")/../.."
# The target is named although it is this machine's: so the flag is not for build scripts and procedural macros, which
# must be able to load libraries.
RUSTFLAGS='-C target-feature=+crt-static' exec cargo build --locked --profile "${1:-release}" \
    --package picket --bin picket --target x86_64-unknown-linux-gnu

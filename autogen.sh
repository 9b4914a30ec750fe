#!/bin/sh
# Make configure from its sources: needs autoconf, automake, libtool.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux
autoreconf --install --warnings=all,no-obsolete

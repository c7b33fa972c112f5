#!/usr/bin/env bash
# Lives on the server as /opt/consult/deploy.sh and puts a new release into service. A real one pulls the image,
# migrates and restarts; this one writes down what it did, so that the demo can look.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

previous=$(cat release 2>/dev/null || echo 0)
echo "release $previous is in service"
echo "migrating the database"
printf '%d\n' $((previous + 1)) >release.new
cp release release.previous 2>/dev/null || echo 0 >release.previous
mv release.new release
echo "release $(cat release) is in service"

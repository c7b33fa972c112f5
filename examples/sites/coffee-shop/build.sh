#!/bin/sh
# Builds the site into dist/: a stand-in for `astro build` that needs nothing but a shell.
set -eu
rm -rf dist
mkdir dist
cp src/style.css dist/style.css
for page in src/*.html; do
    sed -e "s/{{ built }}/from ${page##*/}/" "$page" >"dist/${page##*/}"
    echo "built dist/${page##*/}"
done
# What live-wait asks for: the commit that was built.
printf '{"commit":"%s"}\n' "${GITHUB_SHA:-unknown}" >dist/version.json

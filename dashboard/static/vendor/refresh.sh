#!/bin/sh
# Copies lit-html from node_modules, unmodified. `npm ci` puts it there in the version of
# package.json, and checks it against package-lock.json.
# refresh.sh         copies the files and rewrites the table in README.md
# refresh.sh --check compares the files with the table; needs neither npm nor a network
set -eu
cd "$(dirname "$0")"
FILES='LICENSE lit-html.js directive.js directive-helpers.js directives/guard.js
directives/repeat.js'

sums() { (cd lit-html && sha256sum $FILES); }

if [ "${1:-}" = --check ]; then
    sums | while read -r sum file; do
        grep -q "lit-html/$file.*$sum" README.md || {
            echo "vendor: lit-html/$file is not the file that README.md lists." \
                "Run $0 to copy it again." >&2
            exit 1
        }
    done
    exit
fi

for file in $FILES; do
    cp "../../../node_modules/lit-html/$file" "lit-html/$file"
    chmod 644 "lit-html/$file"
done
# The table is the last part of README.md.
{
    sed '/^| file /,$d' README.md
    echo '| file | sha256 |'
    echo '|---|---|'
    sums | while read -r sum file; do echo "| lit-html/$file | $sum |"; done
} >README.new
mv README.new README.md

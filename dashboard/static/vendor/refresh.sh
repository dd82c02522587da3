#!/bin/sh
# Owns the vendored browser modules: fetches them from npm, unmodified, next to itself.
# refresh.sh         fetch the versions below, rewrite the files and the README's table
# refresh.sh --check compare the files here with the README's sums, without a network
set -eu
cd "$(dirname "$0")"

LIT_VERSION=3.3.0
LIT_INTEGRITY=sha512-RHoswrFAxY2d8Cf2mm4OZ1DgzCoBKUKSPvA1fhtSELxUERq2aQQ2h05pO9j81gS1o7RIRJ+CePLogfyahwmynw==
# The .js files are what the browser loads (they import each other by relative paths);
# the .d.ts files are what `tsc` reads in their place.
LIT_FILES='LICENSE lit-html.js lit-html.d.ts directive.js directive.d.ts
directive-helpers.js directive-helpers.d.ts directives/guard.js
directives/guard.d.ts directives/repeat.js directives/repeat.d.ts'

sums() { (cd lit-html && sha256sum $LIT_FILES); }

if [ "${1:-}" = --check ]; then
    sums | while read -r sum file; do
        grep -q "lit-html/$file.*$sum" README.md || {
            echo "vendor: lit-html/$file is not the file that README.md lists;" \
                "run $0 to fetch it again" >&2
            exit 1
        }
    done
    exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "lit-html@$LIT_VERSION" >/dev/null
got=sha512-$(openssl dgst -sha512 -binary "$work"/lit-html-*.tgz | base64 -w0)
[ "$got" = "$LIT_INTEGRITY" ] || {
    echo "vendor: lit-html $LIT_VERSION came with $got, not $LIT_INTEGRITY" >&2
    exit 1
}
tar -xzf "$work"/lit-html-*.tgz -C "$work"
rm -rf lit-html
for file in $LIT_FILES; do
    mkdir -p "lit-html/$(dirname "$file")"
    cp "$work/package/$file" "lit-html/$file"
    chmod 644 "lit-html/$file"
done

# The table is the README's last part, so that everything after its head is ours.
sed '/^| file /,$d' README.md >"$work/README.md"
{
    echo '| file | sha256 |'
    echo '|---|---|'
    sums | while read -r sum file; do echo "| lit-html/$file | $sum |"; done
} >>"$work/README.md"
cp "$work/README.md" README.md

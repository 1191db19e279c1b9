#!/bin/sh
# A program that knows nothing of the event pipe: told a range, it writes one file at the end.
# Points in the unit square, a line per event: number, x, y, whether they lie in the circle.
# Whole numbers below 2^53 throughout, so every awk agrees. Event i starts its own generator (Park
# and Miller, CACM 31 (1988) 1192), so that ranges may be cut anywhere.
set -e
out=$EVP_OUTDIR/$EVP_FIRST-$EVP_LAST.txt
awk -v first="$EVP_FIRST" -v last="$EVP_LAST" -v seed="$EVP_SEED" '
function draw() { state = (state * 16807) % 2147483647; return state % 10000 }
BEGIN {
    for (event = first + 0; event < last + 0; event++) {
        state = (seed % 2147483647 * 7919 + event * 104729) % 2147483646 + 1
        draw(); draw()
        x = draw(); y = draw()
        printf "%d %d %d %d\n", event, x, y, (x * x + y * y < 100000000)
    }
}' > "$out.part"
mv "$out.part" "$out"

#!/bin/sh
# The event pipe from plain sh: event i is a throw of two dice, drawn from cksum(seed, i).
# A line per event; TRIM is not listened to, events nobody wants any more do no harm.
# What the agent says comes on descriptor 3 (EVP_FD_IN), what it is told goes to 4 (EVP_FD_OUT).
echo "HELLO 1 dice" >&4
while :; do
    echo NEXT >&4
    word=TRIM
    while [ "$word" = TRIM ]; do
        read -r word first last <&3 || exit 0
    done
    [ "$word" = RANGE ] || exit 0
    event=$first
    while [ "$event" -lt "$last" ]; do
        sum=$(printf '%s %s' "$EVP_SEED" "$event" | cksum)
        sum=${sum%% *}
        record="$event $((sum % 6 + 1)) $((sum / 6 % 6 + 1))
"
        printf 'EVENT %d %d %d\n%s' "$event" $((event + 1)) ${#record} "$record" >&4
        event=$((event + 1))
    done
done

#!/bin/sh
# The event pipe from plain sh: event i is a throw of two dice, drawn from cksum(seed, i).
# A line per event; TRIM is not listened to, events nobody wants any more do no harm.
# By way of /proc: a shell may know descriptors of one digit only, and the agent's are what they are.
exec 7>"/proc/self/fd/$EVP_FD_OUT" 8<"/proc/self/fd/$EVP_FD_IN"
echo "HELLO 1 dice" >&7
while :; do
    echo NEXT >&7
    word=TRIM
    while [ "$word" = TRIM ]; do
        read -r word first last <&8 || exit 0
    done
    [ "$word" = RANGE ] || exit 0
    event=$first
    while [ "$event" -lt "$last" ]; do
        sum=$(printf '%s %s' "$EVP_SEED" "$event" | cksum)
        sum=${sum%% *}
        record="$event $((sum % 6 + 1)) $((sum / 6 % 6 + 1))
"
        printf 'EVENT %d %d %d\n%s' "$event" $((event + 1)) ${#record} "$record" >&7
        event=$((event + 1))
    done
done

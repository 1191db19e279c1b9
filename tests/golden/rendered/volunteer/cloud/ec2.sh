#!/bin/sh
cd "$(dirname "$0")" || exit 1
# The aws command packs user data itself, so they are given as a file.
: "${IMAGE:?set IMAGE to an AMI, ami-...}"
exec aws ec2 run-instances --cli-input-json file://ec2.json --image-id "$IMAGE" \
    --user-data file://user-data

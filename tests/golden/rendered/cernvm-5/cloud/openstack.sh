#!/bin/sh
cd "$(dirname "$0")" || exit 1
: "${IMAGE:?set IMAGE to the name of an image}" "${FLAVOR:?set FLAVOR, see: openstack flavor list}"
exec openstack server create --image "$IMAGE" --flavor "$FLAVOR" --user-data user-data \
    --config-drive true desktop

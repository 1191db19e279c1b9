#!/bin/sh
cd "$(dirname "$0")" || exit 1
: "${IMAGE:?set IMAGE to an image}" "${GROUP:?set GROUP to a resource group}"
exec az vm create --resource-group "$GROUP" --name desktop --image "$IMAGE" \
    --custom-data user-data --generate-ssh-keys

#!/bin/sh
cd "$(dirname "$0")" || exit 1
# cloud-init and the boot loader read user-data; amiconfig reads cvm-user-data, in base64.
: "${IMAGE:?set IMAGE to the name of an image}"
exec gcloud compute instances create desktop --image "$IMAGE" \
    --custom-cpu 1 --custom-memory 2048MB \
    --metadata-from-file user-data=user-data,cvm-user-data=cvm-user-data.b64

#!/bin/sh
cd "$(dirname "$0")" || exit 1
# cloud-init and the boot loader read user-data; amiconfig reads cvm-user-data, in base64.
: "${IMAGE:?set IMAGE to the name of an image}"
exec gcloud compute instances create volunteer-0001 --image "$IMAGE" \
    --custom-cpu 2 --custom-memory 4096MB \
    --metadata-from-file user-data=user-data,cvm-user-data=cvm-user-data.b64

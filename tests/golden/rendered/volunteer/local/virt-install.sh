#!/bin/sh
# Starts a machine under libvirt. IMAGE: the disk to boot, which the machine writes to.
cd "$(dirname "$0")" || exit 1
: "${IMAGE:?set IMAGE to the disk that is to boot}"
exec virt-install --name volunteer-0001 --memory 4096 --vcpus 2 --import --os-variant detect=on,require=off --network network=default --graphics none --noautoconsole \
    --disk "path=$IMAGE" --disk "path=$PWD/seed.iso,device=cdrom"

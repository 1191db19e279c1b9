#!/bin/sh
# Makes and starts a machine of VirtualBox. IMAGE: a disk (.vdi, .vmdk), or a boot ISO, which
# gets an empty disk of 20 GB.
set -e
cd "$(dirname "$0")"
: "${IMAGE:?set IMAGE to the disk or boot ISO}"
name=volunteer-0001
VBoxManage createvm --name "$name" --ostype Linux26_64 --register
VBoxManage modifyvm "$name" --memory 4096 --cpus 2 --nic1 nat \
    --boot1 dvd --boot2 disk --boot3 none --boot4 none --audio none --rtcuseutc on
VBoxManage storagectl "$name" --name SATA --add sata --portcount 3
case "$IMAGE" in
*.iso)
    VBoxManage createmedium disk --filename "$PWD/$name.vdi" --size 20480
    disk="$PWD/$name.vdi"
    VBoxManage storageattach "$name" --storagectl SATA --port 2 --type dvddrive --medium "$IMAGE"
    ;;
*) disk=$IMAGE ;;
esac
VBoxManage storageattach "$name" --storagectl SATA --port 0 --type hdd --medium "$disk"
VBoxManage storageattach "$name" --storagectl SATA --port 1 --type dvddrive --medium "$PWD/seed.iso"
exec VBoxManage startvm "$name" --type "${TYPE:-headless}"

#!/bin/sh
# Starts CernVM 5 in a container. CernVM-FS comes from this host if it is mounted here, else the
# container mounts it itself, which takes a device and a capability.
cd "$(dirname "$0")" || exit 1
engine=$(command -v podman || command -v docker) ||
    { echo "install podman or docker" >&2; exit 1; }
image=${IMAGE:-registry.cern.ch/cernvm/five/cernvm-five:latest}
mkdir -p workspace data
if [ -d /cvmfs ]; then
    set -- --volume /cvmfs:/cvmfs:ro,rslave
else
    set -- --device /dev/fuse --cap-add SYS_ADMIN
fi
exec "$engine" run --detach --name desktop --hostname desktop --cpus 1 --memory 2048m --env-file container.env \
    --volume "$PWD/workspace:/workspace" --volume "$PWD/data:/data" --volume "$PWD/windfall-agent-start:/usr/local/sbin/windfall-agent-start:ro" --volume windfall-agent-state:/var/lib/windfall-agent "$@" "$image" /bin/sh /usr/local/sbin/windfall-agent-start

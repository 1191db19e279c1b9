#!/bin/sh
cd "$(dirname "$0")" || exit 1
exec cernvm-launch create --name volunteer-0001 --memory 4096 --disk 20000 --cpus 2 user-data

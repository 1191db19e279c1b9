#!/bin/sh
cd "$(dirname "$0")" || exit 1
exec cernvm-launch create --name desktop --memory 2048 --disk 20000 --cpus 1 user-data

#!/bin/sh
# Runs a program inside the root of an image, as a user of numbers only, on a read-only mount of it with nothing writable but /tmp. For
# `cargo xtask image`, which starts it in mount, process and network namespaces of its own.
#
#   inside.sh ROOT MOUNT TMP SAMPLES UID:GID NAME=VALUE... PROGRAM ARGUMENT...
set -eu
root=$1 at=$2 tmp=$3 samples=$4 user=$5
shift 5

# What is mounted here is seen here alone, and goes with the last process.
mount --make-rprivate /
mount --bind "$root" "$at"
mount -o remount,bind,ro "$at"
mount -t proc proc "$at/proc"
mount --bind /dev "$at/dev"
mount --bind "$tmp" "$at/tmp"
mount --bind "$samples" "$at/mnt"
mount -o remount,bind,ro "$at/mnt"
# Each program takes the place of the one before, so that the last one is the first process.
exec chroot --userspec="$user" --groups="${user#*:}" "$at" /usr/bin/env -i "$@"

# What a lease could leave on a machine, as lines; the same before and after is clean. Sourced.
# shellcheck shell=bash

host_state()
{
	local path

	awk '$2 ~ /lease/ || $1 ~ /lease/ { print "mount", $2 }' /proc/self/mounts
	losetup -n -O BACK-FILE 2>/dev/null | awk '/lease/ { print "loop", $0 }'
	for path in /dev/mapper/leased* /run/netns/*lease*; do
		[ ! -e "$path" ] || echo "$path"
	done
	ip -o link show 2>/dev/null | awk -F': ' '$2 ~ /^(lease|lsd)/ { print "link", $2 }'
	find /sys/fs/cgroup -maxdepth 4 -type d -name '*lease*' 2>/dev/null | sed 's/^/cgroup /'
	nft list tables 2>/dev/null | awk '/lease/ { print "nftables", $0 }'
	ps -eo comm= | awk '/^(leased(-core|-keeper)?|lease-devnet|qemu-storage-da)$/ { print "process", $1 }'
	return 0
}

# What leases could leave on a machine, as sorted lines; the same before and after is clean. Sourced.
# shellcheck shell=bash

# host_state WORD: everything whose name has WORD in it.
host_state()
{
	{
		awk -v w="$1" 'index($1 " " $2, w) { print "mount", $2 }' /proc/self/mounts
		{ losetup -n -O BACK-FILE || true; } 2>/dev/null | awk -v w="$1" 'index($0, w) { print "loop", $0 }'
		{ ip -o link show || true; } 2>/dev/null | awk -F': ' -v w="$1" 'index($2, w) { print "link", $2 }'
		{ nft list tables || true; } 2>/dev/null | awk -v w="$1" 'index($0, w) { print "nftables", $0 }'
		find /sys/fs/cgroup -maxdepth 4 -type d -name "*$1*" 2>/dev/null | sed 's/^/cgroup /' || true
		find /dev/mapper /run/netns -name "*$1*" 2>/dev/null || true
		host_processes "$1"
		true
	} | sort
}

# Programs of ours, and what they started, by their executable or arguments.
host_processes()
{
	local process name
	for process in /proc/[0-9]*; do
		name=$(cat "$process/comm" 2>/dev/null) || continue
		case $name in
		leased | leased-core | leased-keeper | lease-devnet | qemu-storage-da*)
			if { readlink "$process/exe" && tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | grep -q -- "$1"; then
				echo "process $name"
			fi
			;;
		esac
	done
}

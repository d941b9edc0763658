# Debian packages by purpose; PACKAGE=COMMAND is content with any COMMAND in the path. Sourced by contrib/quickstart and contrib/check.
# shellcheck shell=bash

declare -A packages=(
	[build]="gcc make autoconf automake pkg-config xz-utils
		libsecp256k1-dev libssl-dev libcjson-dev libinih-dev libcurl4-openssl-dev libwebsockets-dev
		libsqlite3-dev libqrencode-dev libcryptsetup-dev libarchive-dev libseccomp-dev libcap-dev
		libmnl-dev libnftables-dev"
	[run]="runc iproute2 nftables e2fsprogs util-linux mount procps ca-certificates busybox-static skopeo"
	# Without a device mapper in the kernel volumes are opened through FUSE.
	[volume]="qemu-system-common fuse3"
	[unit]="libcmocka-dev" # what configure looks for, besides
	[test]="python3 python3-venv python3-jsonschema nodejs=node npm=npm strace git file
		universal-ctags clang-format=clang-format shellcheck codespell mandoc
		golang-github-opencontainers-specs-dev golang-go=go docker-registry openssl
		runsc debootstrap umoci libcap2-bin"
	[vm]="qemu-system-x86 qemu-system-common cpio kmod crun apparmor"
	# Its package starts a daemon on a machine with a service manager; tests start their own.
	[docker]="docker.io=dockerd"
	[cargo]="protobuf-compiler"
)

# The lists of packages; not again where that was done for the same log a moment ago.
packages_update()
{
	local stamp=${PACKAGES_LOG:+$PACKAGES_LOG.updated}

	[ -z "$stamp" ] || [ -z "$(find "$stamp" -mmin -30 2>/dev/null)" ] || return 0
	apt-get update -qq </dev/null >&2
	[ -z "$stamp" ] || touch "$stamp"
}

# packages_need PURPOSE...: install what is missing; says which. Root only where something is missing.
packages_need()
{
	local purpose name missing=()

	for purpose in "$@"; do
		[ "$purpose" != volume ] || ! grep -qw device-mapper /proc/misc || continue
		for name in ${packages[$purpose]}; do
			case $name in *=*) command -v "${name#*=}" >/dev/null && continue ;; esac
			name=${name%=*}
			dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q ' installed$' || missing+=("$name")
		done
	done
	((${#missing[@]})) || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "needs root to install: ${missing[*]}" >&2
		return 1
	fi
	echo "installing ${#missing[@]} packages: ${missing[*]}"
	packages_update
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		-o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null >"${PACKAGES_LOG:-/dev/null}" 2>&1 || {
		[ -z "${PACKAGES_LOG:-}" ] || tail -n 5 "$PACKAGES_LOG" >&2
		echo "apt-get could not install: ${missing[*]}" >&2
		return 1
	}
}

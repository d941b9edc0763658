"""What is tried from inside a lease, and which protections stand in its way: see escape.py."""
import os
from collections import namedtuple

from world import NAME

# action: as tests/escape/attacker.c has it. layers: each of them alone must be enough. also: taken out too whenever one
# of the layers is, for without that the attempt could not be made at all.
Attempt = namedtuple("Attempt", "action layers also about")


CGROUP2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
try:
    with open("/sys/kernel/security/apparmor/profiles", encoding="ascii") as f:
        APPARMOR = "leased-tenant (enforce)\n" in f
except OSError:
    APPARMOR = False


# What the profile refuses alone, where it is loaded.
PROFILE = ("mount:", "bind", "remount:", "own_overlay", "release_agent:", "alg", "socket:38", "socket:40", "socket:17",
           "socket:44", "socket:15", "socket:30", "socket:29", "socket:21", "write:/proc/sys", "write:/proc/irq",
           "write:/sys/power", "write:/sys/kernel", "read:/proc/kcore", "find:/proc/1/root")


def attempt(action, *layers, also=(), about=""):
    layers = {*layers, "apparmor"} if APPARMOR and action.startswith(PROFILE) else layers
    return Attempt(action, frozenset(layers), frozenset(also), about)


USUAL_CAPS = {0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31}  # CHOWN … SETFCAP: what every lease has
CAPS = 41
NEW_USER, NEW_NS, NEW_NET = 0x10000000, 0x20000, 0x40000000

CALLS = [
    attempt("mount:tmpfs", "seccomp", "caps"),
    attempt("mount:proc", "seccomp", "caps"),
    *(attempt("mount:" + kind, "seccomp", "caps", also=["userns"]) for kind in ("sysfs", "cgroup2", "devpts", "mqueue")),
    *(attempt("mount:" + kind, "seccomp", "caps", "userns") for kind in ("debugfs", "securityfs", "devtmpfs")),
    attempt("mount:overlay,lowerdir=/etc:/dev", "seccomp", "caps", also=["userns"]),
    attempt("bind", "seccomp", "caps"),
    attempt("remount:/sys", "seccomp", "caps", also=["userns"]),
    attempt("umount:/proc/sys", "seccomp", "caps"),
    attempt("fsopen:ext4", "seccomp", "caps", about="CVE-2022-0185", also=["userns"]),
    attempt("open_tree", "seccomp", "caps"),
    attempt("move_mount", "seccomp", "caps"),
    attempt("mount_setattr:/sys", "seccomp", "caps", also=["userns"]),
    attempt("pivot_root", "seccomp", "caps"),
    attempt("own_overlay", "seccomp", about="CVE-2023-0386"),
    attempt(f"unshare:{NEW_USER:#x}", "seccomp"),
    attempt(f"unshare:{NEW_NS:#x}", "seccomp", "caps"),
    attempt(f"unshare:{NEW_NET:#x}", "seccomp", "caps"),
    attempt(f"clone:{NEW_USER:#x}", "seccomp"),
    attempt(f"clone3:{NEW_USER:#x}", "seccomp"),
    attempt("setns", "seccomp", "caps"),
    attempt("keyctl", "seccomp"),
    attempt("add_key", "seccomp"),
    attempt("request_key", "seccomp"),
    attempt("bpf", "seccomp", "caps", also=["userns"]),
    attempt("perf", "seccomp", "caps", also=["userns"]),
    attempt("userfaultfd", "seccomp", "caps", also=["userns"]),
    attempt("io_uring", "seccomp"),
    attempt("file_handle", "seccomp", "caps", "userns"),
    attempt("fanotify", "seccomp", "caps", "userns"),
    attempt("quotactl", "seccomp"),
    attempt("swapon", "seccomp", "caps", "userns"),
    attempt("acct", "seccomp", "caps", "userns"),
    attempt("syslog", "seccomp", "caps", "userns"),
    attempt("init_module", "seccomp", "caps", "userns"),
    attempt("finit_module", "seccomp", "caps", "userns"),
    attempt("delete_module", "seccomp", "caps", "userns"),
    attempt("kexec", "seccomp", "caps", "userns"),
    attempt("reboot", "seccomp", "caps"),
    attempt("adjtime", "seccomp", "caps", "userns"),
    attempt("iopl", "seccomp", "caps", "userns"),
    attempt("ioperm", "seccomp", "caps", "userns"),
    attempt("personality", "seccomp"),
    attempt("kcmp", "seccomp"),
    attempt("mempolicy", "seccomp"),
    attempt("vhangup", "seccomp", "caps", "userns"),
    attempt("foreign_call", "seccomp"),
    *(attempt("call:" + name, "seccomp") for name in (
        "ustat", "sysfs", "fsconfig", "io_uring_enter", "io_uring_register", "mbind", "get_mempolicy", "migrate_pages",
        "move_pages", "name_to_handle_at", "quotactl_fd")),
    *(attempt("call:" + name, "seccomp", "caps") for name in ("fsmount", "fspick")),
    *(attempt("call:" + name, "seccomp", "caps", "userns") for name in (
        "kexec_file_load", "lookup_dcookie", "settimeofday", "swapoff")),
    attempt("call:setdomainname", "caps"),
    attempt("alg", "seccomp", about="CVE-2026-31431"),
    attempt("socket:38,5,0", "seccomp", about="AF_ALG"),
    attempt("socket:40,1,0", "seccomp", about="AF_VSOCK"),
    attempt("socket:17,3,0", "seccomp", "caps", about="AF_PACKET"),
    attempt("socket:44,3,0", "seccomp", "caps", about="AF_XDP"),
    attempt("socket:15,3,2", "seccomp", "caps", about="AF_KEY"),
    attempt("socket:30,1,0", "seccomp", about="AF_TIPC"),
    attempt("socket:29,3,1", "seccomp", about="AF_CAN"),
    attempt("socket:21,5,0", "seccomp", about="AF_RDS"),
    attempt("socket:2,3,1", "caps", about="raw sockets"),
    attempt("nft", "caps", about="CVE-2024-1086"),
    attempt("foreign_source:8.8.8.77,7000", "caps"),
    attempt("own_address:8.8.8.77", "caps"),
    attempt("hostname", "caps"),
    attempt("nice", "caps", "userns"),
    attempt("rlimit:4", "rlimits", about="core dumps"),
    attempt("inheritable", "inheritable", about="CVE-2022-29162"),
    attempt("set_id:/set-id", "nnp", "root", about="set-user-id programs"),
] + [attempt(f"cap:{n}", "caps") for n in range(CAPS) if n not in USUAL_CAPS]

WRITES = [attempt("write:" + path, "readonly", "userns") for path in (
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory",
    "/proc/sys/fs/file-max", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity")] + [
    attempt("write:/proc/sys/net/ipv4/ip_forward", "readonly", "caps"),
    attempt("write:/proc/sys/net/ipv6/conf/all/disable_ipv6", "readonly", "caps"),
    attempt("write:/sys/power/state", "mounts", "userns"),
    attempt("write:/sys/kernel/uevent_helper", "mounts", "userns"),
    attempt("write:/sys/kernel/mm/transparent_hugepage/enabled", "mounts", "userns"),
    attempt("oom_score", "caps", "userns"),
] + ([attempt("write:/sys/fs/cgroup/" + name, "mounts", also=["readonly", "userns"]) for name in (
    "cgroup.procs", "memory.max", "pids.max", "cgroup.freeze", "cgroup.subtree_control")] + [
    attempt("mkdir:/sys/fs/cgroup/attack", "mounts", also=["readonly", "userns"]),
] if CGROUP2 else [
    attempt("write:/sys/fs/cgroup/cgroup.procs", "mounts", "userns", also=["readonly"]),
    attempt("write:/sys/fs/cgroup/pids/cgroup.procs", "mounts", "userns", also=["readonly"]),
    attempt("mkdir:/sys/fs/cgroup/pids/attack", "mounts", "userns", also=["readonly"]),
    attempt("write:/sys/fs/cgroup/memory/memory.limit_in_bytes", "mounts", "userns", also=["readonly"]),
    attempt("mkdir:/sys/fs/cgroup/attack", "readonly", also=["mounts"]),
])

READS = [attempt("mask:" + path, "masks") for path in (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware", "/sys/kernel/security",
    "/sys/devices/virtual/powercap")] + [
    attempt("read:/proc/interrupts", "masks", about="CVE-2025-31133"),
    attempt("read:/proc/keys", "masks"),
    attempt("read:/proc/timer_list", "masks", "userns"),
    attempt("read:/proc/kcore", "masks", "userns", also=["caps"]),
    attempt("identity", "userns"),
    attempt("release_agent:memory", "seccomp", "caps", "userns", "ns:cgroup", about="CVE-2022-0492"),
]

# Nodes of devices: made (MKNOD), then opened (the list of devices of the control group; nodev of the root, which crun takes
# away where no user namespace forbids it).
KEPT, LOST = ((), ("root",)) if os.path.basename(NAME) == "crun" else (("root",), ())
DEVICES = [attempt(f"device:{device}", "caps", "devices", *KEPT, also=["userns", *LOST], about=about) for device, about in (
    ("c,1,1", "memory"), ("c,1,4", "i/o ports"), ("c,1,11", "the kernel's log"), ("b,7,0", "a loop device"),
    ("b,8,0", "a disk"), ("b,254,0", "a disk"), ("c,10,237", "loop control"), ("c,10,236", "device mapper"),
    ("c,10,229", "fuse"), ("c,10,232", "kvm"), ("c,10,238", "vhost"), ("c,4,0", "a terminal"),
    ("c,195,255", "a graphics card"), ("c,10,242", "rfkill"))] + [
    attempt("device:c,10,200", "caps", *KEPT, also=["userns", "devices", *LOST], about="tun, which runc 1.1 has on every list")]

LIMITS = [
    attempt("forks:200", "limits"),
    attempt("fill:/dev/shm,100", "tmpfs", also=["limits"]),
    attempt("fill:/tmp,20", "root"),
    attempt("files:/tmp,5000", "root"),
    attempt("memory:200", "limits"),
]


def host_attempts(place):
    """What belongs to the host: `place` says where it is."""
    return [
        attempt(f"find:{place.secret}", "no-binds"),
        attempt(f"find:/../../../..{place.secret}", "no-binds"),
        attempt(f"find:/proc/1/root{place.secret}", "ns:pid", also=["userns", "caps"]),
        attempt(f"chroot:{place.secret}"),
        attempt("descriptors", "descriptors", about="CVE-2024-21626"),
        attempt(f"descriptor_path:{place.secret}", "descriptors", about="CVE-2024-21626", also=["userns", "pivot"]),
        attempt(f"process:{place.process}", "ns:pid", also=["userns"]),
        attempt(f"shared_memory:{place.key:#x}", "ns:ipc", also=["userns"]),
        attempt(f"abstract:{place.socket}", "ns:network", also=["userns"]),
        attempt(f"text:/proc/self/cgroup,{place.cgroup}", "ns:cgroup"),
        attempt(f"text:/proc/sys/kernel/hostname,{place.hostname}", "ns:uts", also=["userns"]),
    ]

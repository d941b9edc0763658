"""paygress-cli's provider with its Docker backend (contrib/foreign builds it), to measure beside."""

import json

import harness

# The example key of NIP-19: money and jobs here are play.
KEY = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"


class Peer:
    def __init__(self, w, relay, mint):
        self.w = w
        home = w.dir / "peer"
        home.mkdir()
        tier = {"id": "basic", "name": "Basic", "description": "", "cpu_millicores": 1000, "memory_mb": 512,
                "rate_msats_per_sec": 1000}
        unused = ("proxmox_url", "proxmox_token_id", "proxmox_token_secret", "proxmox_node", "proxmox_storage",
                  "proxmox_template", "proxmox_bridge")
        (home / "config.json").write_text(json.dumps({
            **{key: "" for key in unused}, "backend_type": "Docker", "vmid_range_start": 1000, "vmid_range_end": 1999,
            "nostr_private_key": KEY, "nostr_relays": [relay], "provider_name": "peer", "provider_location": None,
            "public_ip": "127.0.0.1", "capabilities": ["lxc"], "specs": [tier], "whitelisted_mints": [mint],
            "heartbeat_interval_secs": 60, "minimum_duration_seconds": 1, "tunnel_enabled": False,
            "tunnel_interface": None, "ssh_port_start": None, "ssh_port_end": None,
            "cashu_wallet_db_path": str(home / "wallet.redb")}))
        program = w.foreign("paygress-cli-0.1.9/bin/paygress-cli")
        self.process = w.start("peer", program, "provider", "start", "--foreground", "--config", home / "config.json",
                               env=w.env(HOME=home), cwd=home)
        if not harness.wait_for(lambda: "offer" in w.log("peer"), 20):
            raise harness.Skip("it published no offer")

    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.w.stop("peer")

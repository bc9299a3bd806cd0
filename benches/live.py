#!/usr/bin/env python3
"""Races siplens live against tcpdump and sngrep on traffic between two network namespaces.

usage: live.py SIPLENS [--page docs/performance.md] [--soak MINUTES] [--skip-race]

Needs root, ip, sipp, tcpreplay and what it races against. SIPp calls at increasing rate; beyond what
SIPp can do on this machine, packets of calls made by benches/sipgen are played back at increasing
rate. Each watcher has the machine to itself and the traffic; what it saw is compared with what the
interface received. --soak watches calls for that long and draws the memory over time.

The section "Live" of the page is replaced, the rest stays.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import race

SENDER, WATCHER = "slra", "slrb"
SENDER_IF, WATCHER_IF = "slrva", "slrvb"
CALL_RATES = [500, 1000, 2000, 3000]
PACKET_RATES = [25_000, 50_000, 100_000, 150_000]
SECONDS = 5


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("live.py: network namespaces need root")
    siplens = os.path.abspath(options.siplens)
    lines = ["## Live", "", INTRODUCTION.format(siplens=race.version(siplens)), ""]
    with Network():
        if not options.skip_race:
            lines += calls_table(siplens) + packets_table(siplens)
        if options.soak:
            lines += soak(siplens, options.soak * 60, os.path.dirname(options.page))
    replace_section(options.page, "\n".join(lines).rstrip() + "\n")


INTRODUCTION = """Measured by `benches/live.py` over a veth pair between two network namespaces, siplens\n{siplens}; each \
tool watches\nin turn, with the sender beside it on the same two cores. Shown is what it missed of what the \
interface\nreceived, and the CPU it took for each second of traffic. Every tool has its default buffer. A tool that\ntakes less CPU at a higher rate of calls saw fewer: SIPp had given up."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("siplens")
    parser.add_argument("--page", default=os.path.join(race.TOP, "docs", "performance.md"))
    parser.add_argument("--soak", type=float, default=0)
    parser.add_argument("--skip-race", action="store_true")
    return parser.parse_args()


class Network:
    """Two namespaces with a cable between them, gone at the end."""

    def __enter__(self):
        self.__exit__()
        for name in (SENDER, WATCHER):
            run("ip", "netns", "add", name)
        run("ip", "link", "add", SENDER_IF, "netns", SENDER, "type", "veth", "peer", "name",
            WATCHER_IF, "netns", WATCHER)
        for name, interface, address in ((SENDER, SENDER_IF, "10.97.0.1/24"),
                                         (WATCHER, WATCHER_IF, "10.97.0.2/24")):
            run("ip", "-n", name, "addr", "add", address, "dev", interface)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", interface, "up")

    def __exit__(self, *_):
        for name in (SENDER, WATCHER):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def within(name, *command):
    return ["ip", "netns", "exec", name, *command]


def watchers(siplens):
    """Name, command and how what it saw is told; None for what is not installed."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o777)
    saved = os.path.join(folder, "sngrep.pcap")
    all_of = {
        "siplens live": ([siplens, "live", "-i", WATCHER_IF], seen_by_siplens),
        "siplens live --check": ([siplens, "live", "-i", WATCHER_IF, "--check"], seen_by_siplens),
        "tcpdump -w": (["tcpdump", "-i", WATCHER_IF, "-s0", "-w", "/dev/null"], seen_by_tcpdump),
        "tcpdump -nn -A": (["tcpdump", "-i", WATCHER_IF, "-s0", "-nn", "-A"], seen_by_tcpdump),
        "sngrep -N": (["sngrep", "-N", "-q", "-l", "1000000", "-d", WATCHER_IF, "-O", saved],
                      lambda _: count_packets(saved)),
    }
    return {name: watcher for name, watcher in all_of.items() if shutil.which(watcher[0][0])}


def seen_by_siplens(text):
    found = re.findall(r"in (\d+) packets", text)
    return int(found[-1]) if found else 0


def seen_by_tcpdump(text):
    found = re.findall(r"(\d+) packets captured", text)
    return int(found[-1]) if found else 0


def count_packets(path):
    """Records of a pcap file."""
    try:
        with open(path, "rb") as file:
            file.seek(24)
            count = 0
            while True:
                head = file.read(16)
                if len(head) < 16:
                    return count
                file.seek(int.from_bytes(head[8:12], "little"), os.SEEK_CUR)
                count += 1
    except FileNotFoundError:
        return 0


def received():
    """Packets the watched interface has received and sent."""
    text = subprocess.run(["ip", "-n", WATCHER, "-s", "-j", "link", "show", WATCHER_IF], check=True,
                          capture_output=True, text=True).stdout
    stats = json.loads(text)[0]["stats64"]
    return stats["rx"]["packets"] + stats["tx"]["packets"]


def watched(watcher, traffic):
    """Packets sent past a watcher, packets it saw, its CPU seconds, and seconds of traffic."""
    command, seen = watcher
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(within(WATCHER, *command), stdout=subprocess.DEVNULL, stderr=told)
        time.sleep(1.5)
        before, began = received(), time.monotonic()
        traffic()
        seconds = time.monotonic() - began
        time.sleep(2)
        sent = received() - before
        # `ip netns exec` becomes the command, so the signal reaches it.
        process.send_signal(signal.SIGINT)
        _, _, usage = os.wait4(process.pid, 0)
        told.seek(0)
        return sent, seen(told.read()), usage.ru_utime + usage.ru_stime, seconds


def cell(result):
    sent, saw, cpu, seconds = result
    missed = max(0, sent - saw)
    loss = "all" if missed <= 4 else f"missed {100 * missed / sent:.1f} %"
    return f"{loss}, {100 * cpu / seconds:.0f} % CPU"


def calls_table(siplens):
    """SIPp calls at increasing rate."""
    if not shutil.which("sipp"):
        return ["SIPp is not installed here.", ""]
    rows = {name: [] for name in watchers(siplens)}
    heads = []
    for rate in CALL_RATES:
        for name, watcher in watchers(siplens).items():
            result = watched(watcher, lambda rate=rate: sipp(rate))
            rows[name].append(cell(result))
        heads.append(f"{rate:,} calls/s ({result[0] / result[3]:,.0f} packets/s)")
        print(heads[-1], {name: row[-1] for name, row in rows.items()}, flush=True)
    return ["### SIPp calls", ""] + table(heads, rows)


def sipp(rate):
    server = subprocess.Popen(
        within(WATCHER, "sipp", "-sn", "uas", "-i", "10.97.0.2", "-p", "5060", "-nostdin"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    subprocess.run(
        within(SENDER, "sipp", "-sn", "uac", "10.97.0.2:5060", "-i", "10.97.0.1", "-p", "5060",
               "-r", str(rate), "-m", str(rate * SECONDS), "-d", "100", "-nostdin"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    server.kill()
    server.wait()


def packets_table(siplens):
    """Packets of calls played back at increasing rate."""
    if not shutil.which("tcpreplay"):
        return ["tcpreplay is not installed here.", ""]
    capture = race.workload(race.build(), "calls", 1000)
    rows = {name: [] for name in watchers(siplens)}
    for rate in PACKET_RATES:
        play = within(SENDER, "tcpreplay", "-q", f"--pps={rate}", f"--limit={rate * SECONDS * 2}",
                      "-i", SENDER_IF, capture)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for name, watcher in watchers(siplens).items():
            rows[name].append(cell(watched(watcher, lambda: subprocess.run(play, check=True, **quiet))))
        print(rate, {name: row[-1] for name, row in rows.items()}, flush=True)
    heads = [f"{rate:,} packets/s" for rate in PACKET_RATES]
    return ["### Packets played back", ""] + table(heads, rows)


def table(heads, rows):
    lines = ["| tool | " + " | ".join(heads) + " |", "|" + "---|" * (len(heads) + 1)]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    return lines + [""]


def soak(siplens, seconds, folder):
    """Calls for a long while, and the private memory of the watcher."""
    memory = 64 << 20
    with tempfile.TemporaryDirectory() as ring, tempfile.TemporaryFile("w+") as told:
        os.chmod(ring, 0o777)
        command = [siplens, "live", "-i", WATCHER_IF, "--check", "--memory", str(memory), "-w",
                   os.path.join(ring, "soak.pcapng"), "--keep", "sip", "--ring", "5x20MB",
                   "--metrics", "9464"]
        process = subprocess.Popen(within(WATCHER, *command), stdout=subprocess.DEVNULL, stderr=told)
        time.sleep(1.5)
        server = subprocess.Popen(
            within(WATCHER, "sipp", "-sn", "uas", "-i", "10.97.0.2", "-p", "5060", "-nostdin"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        client = subprocess.Popen(
            within(SENDER, "sipp", "-sn", "uac", "10.97.0.2:5060", "-i", "10.97.0.1", "-p", "5060",
                   "-r", "100", "-d", "3000", "-m", str(int(100 * seconds)), "-nostdin"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        points, began = [], time.monotonic()
        while time.monotonic() - began < seconds and process.poll() is None:
            points.append((time.monotonic() - began, private(process.pid)))
            time.sleep(5)
        client.kill()
        server.kill()
        client.wait()
        server.wait()
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, _, usage = os.wait4(process.pid, 0)
        told.seek(0)
        closing = told.read().strip().splitlines()[-1]
    picture = os.path.join(folder, "live-memory.svg")
    with open(picture, "w", encoding="utf-8") as file:
        file.write(plot(points, memory))
    peak = max(octets for _, octets in points)
    cpu = usage.ru_utime + usage.ru_stime
    return [
        f"### {seconds / 60:.0f} minutes", "",
        f"100 calls a second, `--check --memory 64M --keep sip --ring 5x20MB --metrics`: peak of private "
        f"memory {peak / 2**20:.1f} MiB, {100 * cpu / points[-1][0]:.1f} % of a core. It closed with:", "",
        f"    {closing}", "",
        "![private memory over time](live-memory.svg)", "",
    ]


def private(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    return 0


def plot(points, memory):
    """Private memory over time, with a line at what is allowed."""
    width, height, left, bottom = 720, 240, 60, 30
    span = max(points[-1][0], 1)
    most = max(memory, max(octets for _, octets in points)) * 1.1
    x = lambda seconds: left + seconds / span * (width - left - 10)
    y = lambda octets: height - bottom - octets / most * (height - bottom - 10)
    line = " ".join(f"{x(seconds):.1f},{y(octets):.1f}" for seconds, octets in points)
    minutes = "".join(
        f'<text x="{x(minute * 60):.1f}" y="{height - 10}" text-anchor="middle">{minute} min</text>'
        for minute in range(0, int(span / 60) + 1, max(1, int(span / 60 / 10))))
    sizes = "".join(
        f'<text x="{left - 6}" y="{y(mib * 2**20) + 4:.1f}" text-anchor="end">{mib} MiB</text>'
        for mib in range(0, int(most / 2**20), max(1, int(most / 2**20 / 5))))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11">'
        f'<rect width="{width}" height="{height}" fill="white"/>{minutes}{sizes}'
        f'<line x1="{left}" x2="{width - 10}" y1="{y(memory):.1f}" y2="{y(memory):.1f}" '
        f'stroke="#b00" stroke-dasharray="4 3"/>'
        f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="1.5"/></svg>\n')


def replace_section(page, section):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    head, _, _ = text.partition("\n## Live\n")
    with open(page, "w", encoding="utf-8") as file:
        file.write(head.rstrip() + "\n\n" + section)


if __name__ == "__main__":
    main()

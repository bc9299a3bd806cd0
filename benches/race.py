#!/usr/bin/env python3
"""Races siplens against the yardstick (walk parse), tshark, sngrep and others, on the same files.

usage: race.py SIPLENS [--scale 1.0] [--rounds 3] [--page docs/performance.md]

Workloads are made by benches/sipgen, once, in target/bench. All tools take turns on a file; the
medians count, and above all their ratio to the yardstick, since machines are shared. Slow tools get
a slice of a tenth and one round, in which the others have more. What siplens counts is compared with the truth that sipgen wrote:
a wrong count fails the race, however fast it was.
"""
import argparse
import collections
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(TOP, "target", "bench")
# Megabytes at scale 1.
WORKLOADS = {"calls": 1000, "mixed": 1000, "reg": 500, "tcp": 500, "frag": 200}
SLICE = 0.1
# On a slice what is fast runs so many times as often: short runs differ more.
MORE = 3

Run = collections.namedtuple("Run", "wall cpu private status")


def main():
    options = arguments()
    tools = build()
    tools["siplens"] = os.path.abspath(options.siplens)
    results, counts, wrong = {}, {}, []
    for kind, megabytes in WORKLOADS.items():
        full = workload(tools, kind, megabytes * options.scale)
        part = workload(tools, kind, megabytes * options.scale * SLICE)
        wrong += [f"{kind}: {line}" for line in differences(tools["siplens"], full)]
        results[kind] = (race(fast(tools), full, options.rounds),
                         race(slow(tools), part, MORE * options.rounds, peers(tools)))
        counts[kind] = truth_of(full)["sip_messages"]
        report(kind, results[kind])
    growth = memory(tools, options.scale)
    path = os.path.join(TOP, options.page)
    live = live_section(path)
    with open(path, "w", encoding="utf8") as page:
        page.write(markdown(results, counts, growth, options).rstrip() + "\n" + live)
    for line in wrong:
        print("WRONG", line)
    sys.exit(1 if wrong else 0)


def live_section(path):
    """What benches/live.py wrote."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf8") as page:
        _, mark, live = page.read().partition("\n## Live\n")
    return mark + live


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("siplens")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", default="docs/performance.md")
    return parser.parse_args()


def build():
    """Builds the generator and the yardstick; their paths."""
    target = os.path.join(CACHE, "build")
    for name in ("sipgen", "walk"):
        manifest = os.path.join(TOP, "benches", name, "Cargo.toml")
        command = ["cargo", "build", "--release", "--quiet", "--manifest-path", manifest]
        subprocess.run(command, check=True, env={**os.environ, "CARGO_TARGET_DIR": target})
    return {name: os.path.join(target, "release", name) for name in ("sipgen", "walk")}


def workload(tools, kind, megabytes, *more):
    """The capture of this kind and size, made when it is not there."""
    path = os.path.join(CACHE, "-".join([kind, f"{megabytes:g}M", *more]) + ".pcap")
    if not os.path.exists(path + ".json"):
        subprocess.run([tools["sipgen"], kind, path, "--size", f"{int(megabytes * 1000)}k", *more],
                       check=True, stdout=subprocess.DEVNULL)
    return path


def fast(tools):
    """What runs on the whole file."""
    siplens = tools["siplens"]
    return {
        "walk parse": lambda f: [tools["walk"], "parse", f],
        "siplens check": lambda f: [siplens, "check", "-q", "--fail-on", "never", "--allow-empty", f],
        "siplens check, 1 job": lambda f: [siplens, "check", "-q", "--jobs", "1", "--fail-on", "never",
                                           "--allow-empty", f],
        "siplens messages": lambda f: [siplens, "messages", "-q", "--format", "ndjson", f],
        "siplens list": lambda f: [siplens, "list", "-q", f],
    }


def slow(tools):
    """What runs on a slice: peers, where they are installed, and the yardstick once more."""
    peers = {
        "walk parse": lambda f: [tools["walk"], "parse", f],
        "siplens check": fast(tools)["siplens check"],
        "siplens messages": fast(tools)["siplens messages"],
        "tshark -z sip,stat": lambda f: ["tshark", "-n", "-q", "-z", "sip,stat", "-r", f],
        "tshark -T fields": lambda f: ["tshark", "-n", "-Y", "sip", "-T", "fields", "-e", "sip.Call-ID",
                                       "-r", f],
        "sngrep -N -q": lambda f: ["sngrep", "-N", "-q", "-l", "1000000", "-I", f, "-O", os.devnull],
        "tcpdump -nn -A": lambda f: ["tcpdump", "-nn", "-A", "-r", f, "port", "5060"],
    }
    return {name: make for name, make in peers.items() if os.path.exists(make("")[0])
            or shutil.which(make("")[0])}


def peers(tools):
    """Those of the slow tools that are slow."""
    return set(slow(tools)) - set(fast(tools))


def race(tools, path, rounds, once=frozenset()):
    """Runs all tools in turns, those of `once` in the first one; the medians by tool."""
    with open(path, "rb") as capture:  # into the cache
        while capture.read(1 << 24):
            pass
    runs = collections.defaultdict(list)
    for turn in range(rounds):
        for name, command in tools.items():
            if turn == 0 or name not in once:
                runs[name].append(measured(command(path)))
    size = os.path.getsize(path) / 1e6
    return size, {name: median(all_runs) for name, all_runs in runs.items()}


def median(runs):
    return Run(*(statistics.median(column) for column in list(zip(*runs))[:3]),
               max(run.status for run in runs))


def measured(command):
    """Wall and CPU seconds and the most private memory of one run, in octets."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL)
    private = [0]
    watch = threading.Thread(target=watch_memory, args=(child.pid, private))
    watch.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    watch.join()
    return Run(wall, usage.ru_utime + usage.ru_stime, private[0], child.returncode)


def watch_memory(pid, private):
    """Keeps the largest RssAnon of a process: mapped files do not count."""
    while True:
        try:
            with open(f"/proc/{pid}/status", encoding="utf8") as status:
                line = next((line for line in status if line.startswith("RssAnon")), None)
        except OSError:
            return
        if line is None:
            return
        private[0] = max(private[0], int(line.split()[1]) * 1024)
        time.sleep(0.01)


def truth_of(path):
    """What the generator wrote into a capture."""
    with open(path + ".json", encoding="utf8") as file:
        return json.load(file)


def differences(siplens, path):
    """What siplens counts otherwise than the truth of the generator."""
    truth = truth_of(path)
    seen = collections.Counter()
    call_ids = set()
    rows = subprocess.Popen([siplens, "messages", "-q", "--format", "ndjson", path],
                            stdout=subprocess.PIPE)
    for line in rows.stdout:
        row = json.loads(line)
        seen["sip_messages"] += 1
        if row.get("method"):
            seen["method." + row["method"]] += 1
        else:
            seen[f"response.{row['status']}"] += 1
        call_ids.add(row["call_id"])
    rows.wait()
    flows = subprocess.run([siplens, "list", "-q", "--format", "ndjson", path],
                           stdout=subprocess.PIPE, check=False)
    seen["call_ids"] = len(call_ids)
    seen["flows"] = flows.stdout.count(b"\n")
    truth["flows"] = truth["call_ids"]
    names = [name for name in truth if name.startswith(("method.", "response."))]
    return [f"{name}: {seen[name]}, expected {truth[name]}"
            for name in sorted({*names, "sip_messages", "call_ids", "flows"})
            if seen[name] != truth[name]]


def memory(tools, scale):
    """Private memory a message, at numbers of calls that double and redouble."""
    rows = []
    for calls in (10_000, 50_000, 100_000):
        number = int(calls * scale)
        path = os.path.join(CACHE, f"calls-{number}.pcap")
        if not os.path.exists(path + ".json"):
            subprocess.run([tools["sipgen"], "calls", path, "--calls", str(number), "--cps", "200"],
                           check=True, stdout=subprocess.DEVNULL)
        messages = truth_of(path)["sip_messages"]
        check = measured(fast(tools)["siplens check"](path))
        stream = measured(fast(tools)["siplens messages"](path))
        rows.append((number, messages, check, stream))
        print(f"{number} calls: check {check.private / messages:.0f} octets a message, "
              f"messages {stream.private / 1e6:.0f} MB in all")
    return rows


def report(kind, both):
    for size, runs in both:
        yardstick = runs["walk parse"].cpu
        for name, run in runs.items():
            print(f"{kind:6} {size:6.0f} MB  {name:22} cpu {run.cpu:7.2f} s = {run.cpu / yardstick:6.1f} x"
                  f"  wall {run.wall:7.2f} s  private {run.private / 1e6:7.0f} MB", flush=True)


def markdown(results, counts, growth, options):
    """docs/performance.md."""
    lines = ["# Performance", "",
             "<!-- Written by `make bench`. -->", "",
             f"Measured on {machine()}, {time.strftime('%Y-%m-%d')}, siplens {version(options.siplens)}.",
             "All tools took turns on the same file in a warm cache; medians, rounds: "
             f"{options.rounds}, on a slice of a tenth {MORE * options.rounds} (peers: one);"
             f" scale {options.scale:g}.",
             "Machines are shared: read the ratios to `walk parse`, the least work an analysis can do",
             "(it finds every header line once and keeps 48 octets of each message), not the seconds.",
             "Workloads come from `benches/sipgen`; siplens' counts on them equal the generator's.", ""]
    for title, index in (("The whole file", 0), ("A slice, with the peers", 1)):
        lines += [f"## {title}", "",
                  "MB per CPU second, and in parentheses how many times the CPU of `walk parse`.", ""]
        kinds = list(results)
        sizes = [f"{kind} ({results[kind][index][0]:.0f} MB)" for kind in kinds]
        lines += ["| tool | " + " | ".join(sizes) + " |", "|---" * (len(kinds) + 1) + "|"]
        for name in results[kinds[0]][index][1]:
            cells = []
            for kind in kinds:
                size, runs = results[kind][index]
                run = runs[name]
                cells.append(f"{size / max(run.cpu, 1e-3):.0f} ({run.cpu / runs['walk parse'].cpu:.1f})")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += ["## Two cores", "", "Wall time of `check` over that of one job.", "",
              "| " + " | ".join(results) + " |", "|---" * len(results) + "|",
              "| " + " | ".join(f"{wall_ratio(both[0][1]):.2f}" for both in results.values()) + " |", "",
              "## Memory", "", "Private memory, beside the mapped file.", "",
              "| calls | messages | `check`, octets a message | `messages`, MB in all |",
              "|---|---|---|---|"]
    for calls, messages, check, stream in growth:
        lines.append(f"| {calls:,} | {messages:,} | {check.private / messages:.0f} |"
                     f" {stream.private / 1e6:.0f} |")
    return "\n".join(lines + goals(results, counts, growth)) + "\n"


def goals(results, counts, growth):
    """What was aimed at and what came of it, met or not."""
    of_sip = [kind for kind in results if kind != "mixed"]
    checks = ("siplens check", "siplens check, 1 job")
    whole = [results[kind][0][1] for kind in of_sip]
    cpu = max(runs[check].cpu / runs["walk parse"].cpu for runs in whole for check in checks)
    most = max(results[kind][0][1][check].private / counts[kind]
               for kind in of_sip for check in checks)
    octets = [check.private / messages for _, messages, check, _ in growth]
    stream = max(stream.private for *_, stream in growth) / 1e6
    wall = max(wall_ratio(results[kind][0][1]) for kind in of_sip)
    aims = [
        ("`check` of captures of SIP alone, any jobs: CPU of `walk parse`", "at most 5 times",
         f"{cpu:.1f} times at worst", cpu <= 5),
        ("`check` of captures of SIP alone, any jobs: private memory a message", "at most 800 octets",
         f"{most:.0f} at worst", most <= 800),
        ("`check`: memory a message grows with the capture", "no",
         f"{octets[-1] / octets[0]:.2f} of the smallest at the largest", octets[-1] <= 1.1 * octets[0]),
        ("`messages`: private memory in all", "at most 30 MB", f"{stream:.0f} MB", stream <= 30),
        ("`check` on two cores: wall time of one job", "at most 0.7", f"{wall:.2f} at worst", wall <= 0.7),
    ]
    return ["", "## Goals", "", "| goal | aim | measured | met |", "|---|---|---|---|",
            *(f"| {what} | {aim} | {is_} | {'yes' if met else 'no'} |" for what, aim, is_, met in aims)]


def wall_ratio(runs):
    return runs["siplens check"].wall / runs["siplens check, 1 job"].wall


def machine():
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf8") as cpuinfo:
            model = next(line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores"


def version(siplens):
    return subprocess.run([siplens, "--version"], capture_output=True, text=True,
                          check=True).stdout.split()[-1]


if __name__ == "__main__":
    main()

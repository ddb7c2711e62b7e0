"""Measures the blocks of the patterns beside the programs that would stand in their place.

Every peer is Debian's. Runs of what is compared are interleaved, at least five rounds of each; figures are medians.
`bench` is the module `benches/run`: its servers, its load and its page.
"""

import csv
import json
import os
import pathlib
import signal
import statistics
import subprocess
import time

SHARDS = 3


def measure(bench):
    """Adds the section to the page."""
    bench.write("## Patterns")
    bench.write()
    bench.write("The block of a pattern beside the program that would stand in its place, medians of interleaved rounds: "
                "load, the two and their backends on the same cores.")
    bench.write()
    split(bench)
    shard(bench)
    logs(bench)


def rounds(bench):
    return 2 if bench.QUICK else 7


def interleaved(bench, cases):
    """cases: name -> function that returns figures by name. Returns figure -> name -> values."""
    taken = {}
    for number in range(rounds(bench)):
        order = list(cases.items())
        place = number % len(order)
        for name, run in order[place:] + order[:place]:
            for figure, value in run().items():
                taken.setdefault(figure, {}).setdefault(name, []).append(value)
    return taken


def table(bench, what, unit, taken, peer):
    """One row for each figure: both medians, and their ratio."""
    bench.write(f"| {what} | motif, {unit} | {peer}, {unit} | ratio | {peer}'s spread |")
    bench.write("|---|---:|---:|---:|---:|")
    missed = []
    for figure, values in taken.items():
        own, other = (statistics.median(values[name]) for name in ("motif", peer))
        spread = max(values[peer]) / min(values[peer]) - 1
        bench.write(f"| {figure} | {own:.0f} | {other:.0f} | {own / other:.2f} | {spread:.0%} |")
        if own < other:
            missed.append(f"{1 - own / other:.1%} behind {peer} in {figure}")
    bench.write()
    bench.write("Budget: not behind. " + (f"Missed: {'; '.join(missed)}." if missed else "Kept."))
    bench.write()


# --- ambassador/split ---------------------------------------------------------------------------


def split(bench):
    bench.say("ambassador/split ...")
    script = bench.WORK / "users.lua"
    script.write_text("""
local user = 0
function request()
  user = (user + 1) % 10000
  wrk.headers["x-user"] = "user-" .. user
  return wrk.format("GET", "/index.html")
end
""")
    backends = []
    for name in ("production", "experiment"):
        port = bench.free_port()
        folder = bench.WORK / name
        backends.append((name, port, bench.nginx(name, port, f"listen 127.0.0.1:{port}; root {folder};")))
    (_, production, _), (_, experiment, _) = backends
    port = bench.free_port()
    motif = bench.Server([bench.MOTIF, "block", "split", "--listen", f"127.0.0.1:{port}",
                          "--admin", f"127.0.0.1:{bench.free_port()}", "--sticky=header:x-user", "--access-log=false",
                          "--backends", f"production=127.0.0.1:{production}",
                          "--backends", f"experiment=127.0.0.1:{experiment}*10%"], port)
    peer_port = bench.free_port()
    pools = "".join(f"upstream {name} {{ server 127.0.0.1:{place}; keepalive 64; }} " for name, place, _ in backends)
    nginx = bench.nginx(
        "splitting", peer_port,
        f"listen 127.0.0.1:{peer_port}; location / {{ proxy_pass http://$arm; proxy_http_version 1.1; "
        "proxy_set_header Connection ''; proxy_set_header Host $host; "
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }",
        f"{pools} split_clients $http_x_user $arm {{ 10% experiment; * production; }}")
    seconds = 2 if bench.QUICK else 6

    def run(place):
        rate, late = bench.wrk(f"http://127.0.0.1:{place}/index.html", seconds, script)
        return {"requests/s": rate, "late": late}

    servers = [motif, nginx] + [server for _, _, server in backends]
    try:
        for place in (port, peer_port):
            bench.wrk(f"http://127.0.0.1:{place}/index.html", 1, script)
        taken = interleaved(bench, {"motif": lambda: run(port), "nginx": lambda: run(peer_port)})
    finally:
        for server in servers:
            server.stop()
    late = taken.pop("late")
    bench.write("### `ambassador/split`")
    bench.write()
    bench.write("`motif block split` beside Debian's nginx with `split_clients`, a tenth of 10,000 users for the second "
                "of two backends, told by a header; `wrk -t2 -c64`, 1 KiB, keep-alive on both sides, access logs off.")
    bench.write()
    table(bench, "figure", "1/s", taken, "nginx")
    own, other = (statistics.median(late[name]) for name in ("motif", "nginx"))
    bench.write(f"p99: {own:.2f} ms, nginx {other:.2f} ms, ratio {own / other:.2f}.")
    bench.write()


# --- ambassador/shard ---------------------------------------------------------------------------


def redis_benchmark(port, pipeline, requests):
    """Requests in a second, of SET and GET."""
    command = ["redis-benchmark", "-p", str(port), "-t", "set,get", "-c", "50", "-P", str(pipeline),
               "-n", str(requests), "-r", "100000", "-d", "64", "--csv"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rates = {row[0]: float(row[1]) for row in csv.reader(output.splitlines()) if row and row[0] in ("SET", "GET")}
    if set(rates) != {"SET", "GET"}:
        raise SystemExit(f"{command} measured {output!r}")
    return {f"{word}, -P {pipeline}": rate for word, rate in rates.items()}


def shard(bench):
    bench.say("ambassador/shard ...")
    places = [bench.free_port() for _ in range(SHARDS)]
    servers = [bench.Server([bench.find("redis-server"), "--port", str(place), "--bind", "127.0.0.1", "--save", "",
                             "--appendonly", "no"], place) for place in places]
    port, peer_port = bench.free_port(), bench.free_port()
    servers.append(bench.Server([bench.MOTIF, "block", "shard", "--listen", f"127.0.0.1:{port}",
                                 "--admin", f"127.0.0.1:{bench.free_port()}", "--backends",
                                 ",".join(f"127.0.0.1:{place}" for place in places)], port))
    configuration = bench.WORK / "nutcracker.yml"
    lines = ["pool:", f"  listen: 127.0.0.1:{peer_port}", "  hash: fnv1a_64", "  distribution: ketama", "  redis: true",
             "  timeout: 2000", "  auto_eject_hosts: false", "  servers:"]
    configuration.write_text("\n".join(lines + [f"    - 127.0.0.1:{place}:1" for place in places]) + "\n")
    servers.append(bench.Server([bench.find("nutcracker"), "-c", str(configuration), "-s", str(bench.free_port()),
                                 "-a", "127.0.0.1"], peer_port))

    def run(place):
        scale = 1 if bench.QUICK else 6
        return redis_benchmark(place, 1, 20_000 * scale) | redis_benchmark(place, 16, 100_000 * scale)

    try:
        taken = interleaved(bench, {"motif": lambda: run(port), "nutcracker": lambda: run(peer_port)})
    finally:
        for server in servers:
            server.stop()
    bench.write("### `ambassador/shard`")
    bench.write()
    bench.write(f"`motif block shard` beside Debian's nutcracker, ketama over {SHARDS} of Debian's redis-server that "
                "save nothing; `redis-benchmark -c 50`, 100,000 keys, values of 64 bytes.")
    bench.write()
    table(bench, "commands", "1/s", taken, "nutcracker")


# --- adapter/logs -------------------------------------------------------------------------------


def written(path, count, process, seconds=300):
    """Waits until a file has so many lines; returns how long that took."""
    start, lines = time.perf_counter(), 0
    with_end = None
    while lines < count:
        if process.poll() is not None or time.perf_counter() - start > seconds:
            raise SystemExit(f"{process.args} wrote {lines} of {count} lines")
        try:
            with_end = with_end or open(path, "rb")
        except FileNotFoundError:
            time.sleep(0.005)
            continue
        piece = with_end.read(1 << 24)
        lines += piece.count(b"\n")
        if not piece:
            time.sleep(0.005)
    took = time.perf_counter() - start
    with_end.close()
    return took


def logs(bench):
    bench.say("adapter/logs ...")
    count = 50_000 if bench.QUICK else 400_000
    access, records = bench.WORK / "access.log", bench.WORK / "app.log"
    with open(access, "w") as file:
        for n in range(count):
            file.write(f'10.0.{n // 250 % 250}.{n % 250} - - [25/Nov/2026:10:{n // 60 % 60:02}:{n % 60:02} +0000] '
                       f'"GET /items/{n} HTTP/1.1" 200 {n % 5000} "http://shop.example/" "Mozilla/5.0 (X11; Linux)"\n')
    with open(records, "w") as file:
        for n in range(count):
            file.write(json.dumps({"time": f"2026-11-25T10:{n // 60 % 60:02}:{n % 60:02}.000Z", "level": "info",
                                   "message": f"order {n} is placed", "customer": n % 1000, "total": n % 700}) + "\n")
    turn = iter(range(10**6))

    def run(command, output):
        process = subprocess.Popen(command, cwd=bench.WORK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            return count / written(output, count, process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pathlib.Path(output).unlink(missing_ok=True)

    def motif():
        rates = {}
        for figure, path, kind in (("access log", access, "nginx"), ("JSON", records, "json")):
            folder = bench.WORK / f"motif-logs-{next(turn)}"
            folder.mkdir()
            rates[figure] = run([bench.MOTIF, "block", "logs", "--files", str(path), f"--format={kind}",
                                 "--output", str(folder / "out"), "--admin", f"127.0.0.1:{bench.free_port()}"],
                                folder / "out")
        return rates

    def syslog_ng():
        rates = {}
        parsers = {
            "access log": (access, """
parser parse { csv-parser(
  columns("client", "ident", "user", "time", "request", "status", "bytes", "referrer", "agent")
  flags(escape-double-char, strip-whitespace) delimiters(" ") quote-pairs('""[]') prefix(".http.")); };"""),
            "JSON": (records, 'parser parse { json-parser(prefix(".app.")); };'),
        }
        for figure, (path, parser) in parsers.items():
            folder = bench.WORK / f"syslog-ng-{next(turn)}"
            folder.mkdir()
            configuration = folder / "syslog-ng.conf"
            configuration.write_text(f"""@version: 3.35
options {{ stats-freq(0); flush-lines(1000); keep-hostname(yes); use-dns(no); }};
source in {{ file("{path}" flags(no-parse) follow-freq(0.2) log-fetch-limit(1000)); }};
{parser}
destination out {{ file("{folder}/out" template("$(format-json ts=$ISODATE file=$FILE_NAME --key .http.* --key .app.*)\\n")); }};
log {{ source(in); parser(parse); destination(out); flags(flow-control); }};
""")
            rates[figure] = run([bench.find("syslog-ng"), "-F", "-f", str(configuration), "-R", str(folder / "persist"),
                                 "-c", str(folder / "control"), "-p", str(folder / "pid"), "--no-caps"],
                                folder / "out")
        return rates

    taken = interleaved(bench, {"motif": motif, "syslog-ng": syslog_ng})
    bench.write("### `adapter/logs`")
    bench.write()
    bench.write(f"`motif block logs --output` beside Debian's syslog-ng, from an empty position to the last of {count:,} "
                "lines, written as JSON lines into a file; the start of the process is part of it.")
    bench.write()
    table(bench, "input", "lines/s", taken, "syslog-ng")

"""Training steps of this project and of other libraries on the CPU, each in a process of its own.

All start from the same weights, see the same batches in the same order and must arrive at the same
loss; a peer that does other work, fails or cannot be built is reported as such. Once all have warmed
up they are measured by turns, the others stopped: what disturbs the machine disturbs all alike, and
the FMA peak takes its turns with them. Two are compared by the median of their ratios, one from each
round of turns, as rounds differ more than peers do. Results: peers.json, peers.md and peers.svg in
docs/measurements, and the table in README.md; a part of the work (--quick, --peers, --stacks,
--threads) leaves those alone and writes to src/bench/target/report. What the processes say is in
src/bench/target/peers.log.
"""

import argparse
import datetime
import json
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import report

BENCH = Path(__file__).resolve().parent
HOME = BENCH.parents[1]
TARGET = BENCH / "target"

VECTORS = ["--add-modules=jdk.incubator.vector"]
# The kernels of OpenBLAS to choose from, the fastest for each task: by itself it goes by the model of
# the processor, which the oldest OpenBLAS here may not know.
CORE_TYPES = ["SKYLAKEX", "COOPERLAKE", "HASWELL"]
# Set by some shells, each changes what a peer computes with: only what is said here is set.
UNSET = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"]
UNSET += ["MKL_NUM_THREADS", "OMP_WAIT_POLICY", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"]
# A loss may be off by this share of what training has moved it; Adam makes much of the rounding in
# gradients that are nearly zero.
LOSS_TOLERANCE = {"SGD": 0.001, "ADAM": 0.01}


@dataclass(frozen=True)
class Peer:
    name: str  # of its module
    title: str
    main: str  # its class
    options: tuple = ()  # of java
    openblas: bool = False  # takes OPENBLAS_CORETYPE
    system_openblas: bool = False  # looks for OpenBLAS among the system's libraries
    environment: dict = field(default_factory=dict, hash=False)


PEERS = [
    Peer("deltarule", "Deltarule", "DeltarulePeer", tuple(VECTORS)),
    Peer("openblas", "OpenBLAS by hand", "OpenBlasPeer", tuple(VECTORS), openblas=True),
    Peer("tensorflow", "TensorFlow Java", "TensorFlowPeer"),
    Peer(
        "pytorch",
        "PyTorch (JavaCPP)",
        "PyTorchPeer",
        openblas=True,
        environment={"OMP_WAIT_POLICY": "passive"},
    ),
    Peer("djl", "PyTorch (DJL)", "DjlPeer"),
    Peer("dl4j", "DL4J", "Dl4jPeer", openblas=True),
    Peer("smile", "Smile", "SmilePeer", openblas=True, system_openblas=True),
    Peer("deepnetts", "Deep Netts", "DeepNettsPeer"),
]
PEAK = Peer("peak", "FMA peak", "FmaPeak", tuple(VECTORS))


@dataclass(frozen=True)
class Case:
    """A task; the loss is compared after so many steps (the first and the last on one batch)."""

    stack: str
    batch: int
    rule: str
    steps: int

    @property
    def title(self):
        return f"{report.short(self.stack)}, batch {self.batch}, {report.RULES[self.rule]}"

    @property
    def flops(self):
        """Of the matrix products of a step: forward, gradients, and propagation but for layer 0."""
        widths = [int(width) for width in self.stack.split("-")]
        weights = [k * n for k, n in zip(widths, widths[1:])]
        return 2.0 * self.batch * (3 * sum(weights) - weights[0])


CASES = [
    Case("30-64-32-1", 32, "SGD", 65),
    Case("28-300-300-300-300-300-1", 100, "SGD", 65),
    Case("784-1024-1024-1", 256, "SGD", 17),
    Case("784-1024-1024-1", 256, "ADAM", 17),
    Case("784-2048-2048-2048-10", 512, "SGD", 17),
]
PRODUCTS = [f"NN:{n}x{n}x{n}" for n in (512, 1024, 2048)]
PRODUCTS += [f"{order}:256x784x1024" for order in ("NN", "NT", "TN")]
PRODUCTS += [f"{order}:256x1024x1024" for order in ("NN", "NT", "TN")]
PRODUCTS += ["TN:1024x256x784", "TN:1024x256x1024"]  # the weight gradients of 784-1024-1024-1
PRODUCTS += ["NT:32x64x32", "NT:32x32x1", "NT:1x784x1024", "NT:1x1024x1"]  # m x k x n
MULTIPLIERS = {"deltarule": "DeltaruleMultiplier", "openblas": "OpenBlasMultiplier"}


class Measure:
    def __init__(self, arguments):
        self.arguments = arguments
        self.jdks = self.find_jdks()
        self.cores = sorted(os.sched_getaffinity(0))
        # This project always, since the others' losses are compared with its.
        names = chosen("--peers", arguments.peers, {p.name for p in PEERS})
        self.peers = [p for p in PEERS if p == PEERS[0] or p.name in names]
        known = {report.short(c.stack) for c in CASES} | {"products"}
        stacks = chosen("--stacks", arguments.stacks, known)
        self.cases = [c for c in CASES if report.short(c.stack) in stacks]
        self.with_products = "products" in stacks
        self.log = None
        self.started = []
        TARGET.mkdir(exist_ok=True)

    @staticmethod
    def find_jdks():
        """Folders by version, the newest first; of a version the first one found."""
        lines = subprocess.run([HOME / "ci/jdks"], capture_output=True, text=True, check=True).stdout
        jdks = {}
        for folder in lines.split("\n")[:-1]:
            release = Path(folder, "release").read_text()
            version = re.search(r'^JAVA_VERSION="([^"]*)"', release, re.MULTILINE)[1]
            jdks.setdefault(version, folder)
        if not jdks:
            fail("no JDK of version 17 or newer found; install one or set JAVA_HOME")
        return dict(sorted(jdks.items(), key=lambda jdk: -int(jdk[0].split(".")[0])))

    def newest(self):
        return next(iter(self.jdks))

    def run(self):
        with open(TARGET / "peers.log", "w") as self.log:
            try:
                return self.measure()
            finally:
                for process in self.started:  # when interrupted, the stopped ones are still there
                    process.kill()

    def measure(self):
        failures = self.build()
        how = self.arguments
        results = {
            "date": datetime.date.today().isoformat(),
            "machine": machine(),
            "load": os.getloadavg()[0],
            "warmup": how.warmup,
            "turn": how.turn,
            "turns": how.turns,
            "peaks": [],
            "products": [],
            "core_types": [],
            "steps": [],
        }
        if self.with_products:
            for threads in self.threads():
                self.products(threads, failures, results)
        for peer in self.peers:
            if peer.name not in failures:
                self.unpack(peer)
        for case in self.cases:
            core_type = self.choose_core_type(case, failures, results)
            for threads in self.threads():
                self.compare(case, threads, core_type, failures, results)
        results["peers"] = {p.name: self.size(p) for p in self.peers if p.name not in failures}
        return results

    def threads(self):
        if self.arguments.threads is None:
            return [n for n in (1, 2) if n <= len(self.cores)]
        return self.arguments.threads

    def build(self):
        """Builds all peers with the newest JDK; those that could not be built, and why."""
        shutil.rmtree(TARGET / "unpacked", ignore_errors=True)
        # OpenBLAS in any case, to choose its kernels.
        names = dict.fromkeys(["openblas"] + [p.name for p in self.peers])
        folders = [BENCH / name for name in names]
        for folder in folders:
            shutil.rmtree(folder / "target/lib", ignore_errors=True)
        modules = "src/bench/peak," + ",".join(f"src/bench/{folder.name}" for folder in folders)
        command = [HOME / "mvnw", "-B", "-ntp", "-Ppeers", "-fae", "-pl", modules, "-am", "package"]
        command += ["-DskipTests", "-Dspotless.check.skip", "-Dmaven.javadoc.skip"]
        environment = {**os.environ, "JAVA_HOME": self.jdks[self.newest()]}
        tell("building")
        done = subprocess.run(
            command, cwd=HOME, env=environment, text=True, stdout=subprocess.PIPE, stderr=self.log
        )
        self.log.write(done.stdout)
        failures = {}
        for folder in folders:
            if not list(folder.glob("target/lib/deltarule-bench-" + folder.name + "-*.jar")):
                failed = f"on project deltarule-bench-{folder.name}: "
                reasons = [line for line in done.stdout.splitlines() if failed in line]
                reasons = [reason.split(failed)[1] for reason in reasons] or ["see peers.log"]
                failures[folder.name] = "could not be built: " + reasons[0]
        return failures

    def products(self, threads, failures, results):
        """Of this project on each JDK, of OpenBLAS with each of its kernels."""
        peak = self.peak(threads)
        runs = {}
        for peer in self.peers:
            if peer.name not in MULTIPLIERS or peer.name in failures:
                continue
            how = self.arguments
            arguments = [MULTIPLIERS[peer.name], threads, how.warmup, 10 * how.turn, how.turn / 2]
            for jdk in self.jdks_of(peer):
                for core_type in CORE_TYPES if peer.openblas else [None]:
                    what = {"peer": peer.name, "jdk": jdk, "threads": threads}
                    what["core_type"] = core_type
                    process = self.java(
                        peer, "ProductMeasurement", arguments + PRODUCTS, threads, jdk, core_type
                    )
                    runs[process] = what
        take_turns([peak, *runs], self.arguments.turns, PRODUCTS)
        results["peaks"].append({"of": "products", **self.peak_told(peak, threads)})
        for process, what in runs.items():
            what["seconds"] = {p: floats(process.values[p]) for p in PRODUCTS if p in process.values}
            what["version"] = process.value("version")
            if process.error:
                what["error"] = process.error
            results["products"].append(what)

    def peak(self, threads):
        return self.java(PEAK, PEAK.main, [threads], threads)

    @staticmethod
    def peak_told(process, threads):
        if process.error:
            return {"threads": threads, "error": process.error}
        told_by = process.values
        return {
            "threads": threads,
            "gflops": floats(told_by["gflops"]),
            "version": process.value("version"),
        }

    def choose_core_type(self, case, failures, results):
        """The kernels with which OpenBLAS by hand is fastest; those that the processor lacks fail."""
        if "openblas" in failures:
            return None
        peer = next(p for p in PEERS if p.name == "openblas")
        turns = max(3, self.arguments.turns // 3)
        runs = {
            core_type: self.start(peer, self.newest(), case, 1, core_type, self.arguments.warmup / 4)
            for core_type in CORE_TYPES
        }
        take_turns(runs.values(), turns)
        tried = {"case": case.title}
        for core_type, process in runs.items():
            times = process.values.get("step_seconds")
            tried[core_type] = case.batch / statistics.median(floats(times)) if times else None
        results["core_types"].append(tried)
        measured = [core_type for core_type in CORE_TYPES if tried[core_type]]
        return max(measured, key=tried.get, default=None)

    def jdks_of(self, peer):
        """This project on every JDK, others on the newest."""
        return list(self.jdks) if peer.name == "deltarule" else [self.newest()]

    def unpack(self, peer):
        """A first start, in which libraries unpack what they bring; no result is taken from it."""
        if peer.system_openblas:
            unpack_openblas(BENCH / peer.name / "target/lib", self.unpacked(peer.name) / "openblas")
        take_turns([self.start(peer, self.newest(), Case("30-64-32-1", 32, "SGD", 1), 1, None, 0)], 1)

    def compare(self, case, threads, core_type, failures, results):
        peak = self.peak(threads)
        rows, runs = [], []
        for peer in self.peers:
            for jdk in self.jdks_of(peer):
                row = {"peer": peer.name, "title": peer.title, "jdk": jdk, "threads": threads}
                row.update(stack=case.stack, batch=case.batch, rule=case.rule, flops=case.flops)
                rows.append(row)
                if peer.name in failures:
                    row["error"] = failures[peer.name]
                else:
                    warm_up = self.arguments.warmup
                    process = self.start(peer, jdk, case, threads, core_type, warm_up)
                    runs.append((peer, row, process))
        take_turns([peak] + [process for _, _, process in runs], self.arguments.turns)
        for peer, row, process in runs:
            row.update(self.steps_told(peer, case, threads, core_type, process))
        self.check_losses(rows)
        results["peaks"].append({"of": case.title, **self.peak_told(peak, threads)})
        results["steps"] += rows

    def start(self, peer, jdk, case, threads, core_type, warm_up):
        arguments = [peer.main, case.stack, case.batch, case.rule, threads, case.steps]
        arguments += [warm_up, self.arguments.turn]
        title = f"{peer.title}, JDK {jdk}, {case.title}, threads {threads}"
        return self.java(peer, "StepMeasurement", arguments, threads, jdk, core_type, title)

    def steps_told(self, peer, case, threads, core_type, process):
        if process.error:
            return {"error": process.error}
        times = floats(process.values["step_seconds"])
        return {
            "version": process.value("version"),
            "difference": process.value("difference"),
            "environment": self.environment(peer, threads, core_type)[1],
            "first_loss": told(process.value("first_loss")),
            "final_loss": told(process.value("final_loss")),
            "step_seconds": times,
            "rows_per_second": case.batch / statistics.median(times),
            "least_rows_per_second": case.batch / max(times),
            "most_rows_per_second": case.batch / min(times),
            "first_step_seconds": process.first,
            "peak_mib": int(process.value("peak_kib")) / 1024,
        }

    @staticmethod
    def check_losses(rows):
        """Everybody's loss against this project's on the newest JDK."""
        reference = rows[0]
        for row in rows:
            row["same_work"] = False
            if row.get("final_loss") is not None and "final_loss" in reference:
                moved = abs(reference["first_loss"] - reference["final_loss"])
                off = abs(row["final_loss"] - reference["final_loss"])
                row["loss_off"] = off / moved
                exact = row["loss_off"] <= LOSS_TOLERANCE[row["rule"]]
                row["same_work"] = exact and not row["difference"]

    def size(self, peer):
        """On disk, and the lines of code that use it."""
        jars = [jar for jar in (BENCH / peer.name / "target/lib").iterdir() if ours(jar.name)]
        sources = (BENCH / peer.name / "main/java").rglob("*.java")
        return {
            "title": peer.title,
            "jars_mib": sum(jar.stat().st_size for jar in jars) / 2**20,
            "unpacked_mib": size_of(self.unpacked(peer.name)) / 2**20,
            "code_lines": sum(code_lines(s) for s in sources if "Multiplier" not in s.name),
        }

    @staticmethod
    def unpacked(name):
        return TARGET / "unpacked" / name

    @staticmethod
    def environment(peer, threads, core_type):
        """The whole environment of a peer's process, and what of it is set here."""
        set_here = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        set_here["MKL_NUM_THREADS"] = str(threads)
        set_here.update(peer.environment)
        if peer.system_openblas:
            set_here["LD_LIBRARY_PATH"] = "../openblas"  # from the folder that the process runs in
        if peer.openblas and core_type:
            set_here["OPENBLAS_CORETYPE"] = core_type
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        return {**kept, **set_here}, set_here

    def java(self, peer, main, arguments, threads, jdk=None, core_type=None, title=None):
        """Starts a class; it has warmed up when this returns, or failed."""
        unpacked = self.unpacked(peer.name)
        (unpacked / "tmp").mkdir(parents=True, exist_ok=True)
        command = [self.jdks[jdk or self.newest()] + "/bin/java", *peer.options]
        command += ["-XX:+UseSerialGC", "-Xmx8g", "--enable-native-access=ALL-UNNAMED"]
        command += [f"-Djava.io.tmpdir={unpacked}/tmp", f"-DDJL_CACHE_DIR={unpacked}"]
        command += [f"-Dorg.bytedeco.javacpp.cachedir={unpacked}"]
        command += ["-cp", f"{BENCH / peer.name / 'target/lib'}/*"]
        command += [f"io.deltarule.bench.{main}"] + [str(argument) for argument in arguments]
        tell(title or f"{peer.title}, {main}, threads {threads}")
        self.log.write(f"== {' '.join(command)}\n")
        self.log.flush()
        os.sched_setaffinity(0, self.cores[:threads])  # which the process inherits
        process = Process(
            command,
            unpacked / "tmp",  # some leave files where they run
            self.environment(peer, threads, core_type)[0],
            self.log,
            self.arguments.limit,
        )
        os.sched_setaffinity(0, self.cores)
        self.started.append(process)
        process.hear()
        return process


class Process:
    """Measures; when it has warmed up, and after each turn, it says that it is ready for one."""

    def __init__(self, command, folder, environment, log, limit):
        self.values = {}  # what it has told, by name; all of it
        self.first = None  # seconds until it told the first
        self.error = None
        self.ready = False
        self.log = log
        self.limit = limit
        self.began = time.monotonic()
        self.said = []
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def value(self, name):
        return self.values.get(name, [None])[-1]

    def turn(self, what):
        if self.ready:
            self.signal(signal.SIGCONT)
            self.process.stdin.write(f"{what}\n")
            self.process.stdin.flush()
            self.hear()

    def finish(self):
        if self.ready:
            self.signal(signal.SIGCONT)
            self.process.stdin.close()
            self.hear()

    def hear(self):
        """Listens until it is ready and stops it then, or until it has ended."""
        self.ready = False
        stopped = threading.Event()
        timer = threading.Timer(self.limit, lambda: (stopped.set(), self.kill()))
        timer.start()
        for line in self.process.stdout:
            self.log.write(line)
            if line.startswith("result "):
                self.first = self.first or time.monotonic() - self.began
                name, value = (line[7:].rstrip("\n") + " ").split(" ", 1)
                if name == "ready":
                    self.ready = True
                    break
                self.values.setdefault(name, []).append(value.strip())
            elif re.match(r"(Error: |Exception |Caused by: |[\w.]+(Error|Exception)\b)", line):
                self.said.append(line.strip())
        timer.cancel()
        if self.ready and not stopped.is_set():
            self.signal(signal.SIGSTOP)
            return
        self.ready = False
        status = self.process.wait()
        if stopped.is_set():
            self.error = ": ".join([f"not done after {self.limit:.0f} s"] + self.said[-1:])
        elif "unsupported" in self.values:
            self.error = self.value("unsupported")
        elif status != 0:
            self.error = f"exit status {status}: {(self.said or ['it said nothing'])[-1]}"

    def kill(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)

    def signal(self, number):
        os.killpg(self.process.pid, number)  # with the processes that it has started


def take_turns(processes, rounds, parts=("",)):
    """Has each measure each part in every round, and end."""
    for _ in range(rounds):
        for part in parts:
            for process in processes:
                process.turn(part)
    for process in processes:
        process.finish()


def unpack_openblas(lib, folder):
    """What a package of the system would have installed."""
    folder.mkdir(parents=True, exist_ok=True)
    for jar in lib.glob("openblas-*.jar"):
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                file = name.rsplit("/", 1)[-1]
                if re.match(r"lib(openblas|gfortran|quadmath|gcc_s)\.so", file):
                    (folder / file).write_bytes(archive.read(name))
    for file in folder.glob("libopenblas.so.*"):
        (folder / "libopenblas.so").symlink_to(file.name)


def chosen(option, names, known):
    """The names that an option lists, all that are known without it; 28-300x5-1 may be spelled out."""
    if names is None:
        return known
    asked = {report.short(name) if option == "--stacks" else name for name in names.split(",")}
    if asked - known:
        unknown = ", ".join(sorted(asked - known))
        fail(f"{option} has {unknown}, which is none of {', '.join(sorted(known))}")
    return asked


def numbers(option, text, most):
    if not re.fullmatch("[0-9]+(,[0-9]+)*", text):
        fail(f"{option} has {text}; give numbers from 1 to {most}, such as 1,2")
    found = [int(number) for number in text.split(",")]
    for number in found:
        if not 1 <= number <= most:
            fail(f"{option} has {number}; there are 1 to {most} cores")
    return found


def fail(text):
    print(f"ci/peers: {text}", file=sys.stderr)
    sys.exit(2)


def tell(text):
    print(f"{text} ...", file=sys.stderr, flush=True)


def floats(texts):
    return [float(text) for text in texts]


def told(loss):
    value = float(loss)
    return value if math.isfinite(value) else None


def ours(jar):
    """The peer's own jars, not the measuring code."""
    return not jar.startswith("deltarule-bench-")


def size_of(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())


def code_lines(source):
    """Without blank lines, comments, the package and imports."""
    text = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.DOTALL)
    lines = [line.strip() for line in text.splitlines()]
    return sum(bool(line) and not line.startswith(("//", "import ", "package ")) for line in lines)


def machine():
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
    }


def main():
    parser = argparse.ArgumentParser(prog="ci/peers", description=__doc__.split("\n\n")[1])
    parser.add_argument("--peers", help="only these: " + ",".join(p.name for p in PEERS))
    parser.add_argument("--stacks", help="only these; products for the matrix products")
    parser.add_argument("--threads", help="of a process, such as 1,4; default 1,2")
    parser.add_argument("--warmup", type=float, help="seconds before it counts; default 8")
    parser.add_argument("--turn", type=float, help="seconds of one; default 0.1")
    parser.add_argument("--turns", type=int, help="of each process; default 25")
    parser.add_argument("--limit", type=float, default=300, help="seconds to warm up, or for a turn")
    parser.add_argument("--quick", action="store_true", help="see that it works; no figures")
    parser.add_argument("--report", action="store_true", help="only write it again from peers.json")
    arguments = parser.parse_args()
    arguments.warmup = arguments.warmup or (0.2 if arguments.quick else 8)
    arguments.turn = arguments.turn or (0.05 if arguments.quick else 0.1)
    arguments.turns = arguments.turns or (3 if arguments.quick else 25)
    part = arguments.quick or arguments.peers or arguments.stacks
    part = part or arguments.threads is not None
    if arguments.threads is not None:
        arguments.threads = numbers("--threads", arguments.threads, len(os.sched_getaffinity(0)))
    out = TARGET / "report" if part else HOME / "docs/measurements"
    out.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        results = Measure(arguments).run()
        (out / "peers.json").write_text(json.dumps(results, indent=1) + "\n")
    report.write(out, None if part else HOME / "README.md")
    print((out / "peers.md").read_text())


if __name__ == "__main__":
    main()

"""Training steps of this project and of other libraries on the CPU, each in a process of its own.

All start from the same weights, see the same batches in the same order and must arrive at the same
loss; a peer that does other work, fails or cannot be built is reported as such. Results: peers.json,
peers.md and peers.svg in docs/measurements, and the table in README.md; a part of the work (--quick,
--peers, --stacks) leaves those alone and writes to src/bench/target/report. What the processes say is
in src/bench/target/peers.log.
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
# The kernels of OpenBLAS to choose from: those that the oldest OpenBLAS here has, too, which may know
# this processor too little to choose well by itself.
CORE_TYPES = ["SKYLAKEX", "COOPERLAKE", "ZEN", "HASWELL"]
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
        stacks = chosen("--stacks", arguments.stacks, {report.short(c.stack) for c in CASES})
        self.cases = [c for c in CASES if report.short(c.stack) in stacks]
        self.core_type = None
        self.log = None
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
            sys.exit("ci/peers: no JDK of version 17 or newer found; install one or set JAVA_HOME")
        return dict(sorted(jdks.items(), key=lambda jdk: -int(jdk[0].split(".")[0])))

    def newest(self):
        return next(iter(self.jdks))

    def run(self):
        with open(TARGET / "peers.log", "w") as self.log:
            failures = self.build()
            results = {
                "date": datetime.date.today().isoformat(),
                "machine": machine(),
                "load": os.getloadavg()[0],
                "warmup": self.arguments.warmup,
                "seconds": self.arguments.seconds,
                "repeats": self.arguments.repeats,
                "peak": [self.peak(threads) for threads in self.threads()],
            }
            if "openblas" not in failures:
                results["core_types"] = self.try_core_types()
            results["core_type"] = self.core_type
            results["products"] = self.products(failures)
            results["steps"] = []
            for peer in self.peers:
                if peer.name not in failures:
                    self.unpack(peer)
            for case in self.cases:
                for threads in self.threads():
                    results["steps"] += self.compare(case, threads, failures)
            results["peers"] = {p.name: self.size(p) for p in self.peers if p.name not in failures}
        return results

    def threads(self):
        return [n for n in (1, 2) if n <= len(self.cores)]

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

    def peak(self, threads):
        arguments = [threads, self.arguments.repeats]
        values, _, error = self.java("peak", "FmaPeak", VECTORS, arguments, threads)
        if error:
            return {"threads": threads, "error": error}
        return {"threads": threads, "gflops": floats(values["gflops"]), "vectors": values["version"]}

    def try_core_types(self):
        """Takes the fastest on a product of 512 cubed; one that the processor lacks just fails."""
        tried = {}
        for self.core_type in CORE_TYPES:
            values, _, error = self.multiply("openblas", 1, ["NN:512x512x512"])
            if error:
                tried[self.core_type] = {"error": error}
            else:
                gflops = 2 * 512**3 / statistics.median(floats(values["NN:512x512x512"])) * 1e-9
                tried[self.core_type] = {"gflops": gflops, "version": values["version"]}
        measured = [name for name in tried if "gflops" in tried[name]]
        self.core_type = max(measured, key=lambda name: tried[name]["gflops"], default=None)
        return tried

    def products(self, failures):
        results = []
        for peer in self.peers:
            if peer.name not in MULTIPLIERS or peer.name in failures:
                continue
            for jdk in self.jdks_of(peer):
                for threads in self.threads():
                    values, _, error = self.multiply(peer.name, threads, PRODUCTS, jdk)
                    result = {"peer": peer.name, "jdk": jdk, "threads": threads}
                    if error:
                        result["error"] = error
                    result["version"] = values.get("version")
                    result["seconds"] = {p: floats(values[p]) for p in PRODUCTS if p in values}
                    results.append(result)
        return results

    def multiply(self, name, threads, products, jdk=None):
        arguments = [MULTIPLIERS[name], threads, self.arguments.warmup, self.arguments.seconds / 2]
        arguments += [self.arguments.repeats, *products]
        peer = next(p for p in PEERS if p.name == name)
        title = f"products of {peer.title}, threads {threads}"
        return self.java(
            name, "ProductMeasurement", peer.options, arguments, threads, peer, jdk, title
        )

    def jdks_of(self, peer):
        """This project on every JDK, others on the newest."""
        return list(self.jdks) if peer.name == "deltarule" else [self.newest()]

    def unpack(self, peer):
        """A first start, in which libraries unpack what they bring; no result is taken from it."""
        if peer.system_openblas:
            unpack_openblas(BENCH / peer.name / "target/lib", self.unpacked(peer.name) / "openblas")
        self.measure(peer, self.newest(), Case("30-64-32-1", 32, "SGD", 1), 1, 0.01, 0.01, 1)

    def compare(self, case, threads, failures):
        rows = []
        for peer in self.peers:
            for jdk in self.jdks_of(peer):
                row = {"peer": peer.name, "title": peer.title, "jdk": jdk, "threads": threads}
                row.update(stack=case.stack, batch=case.batch, rule=case.rule, flops=case.flops)
                if peer.name in failures:
                    row["error"] = failures[peer.name]
                else:
                    how = self.arguments
                    times = how.warmup, how.seconds, how.repeats
                    row.update(self.measure(peer, jdk, case, threads, *times))
                rows.append(row)
        self.check_losses(rows)
        return rows

    def measure(self, peer, jdk, case, threads, warmup, seconds, repeats):
        arguments = [peer.main, case.stack, case.batch, case.rule, threads, case.steps]
        arguments += [warmup, seconds, repeats]
        title = f"{peer.title}, JDK {jdk}, {case.title}, threads {threads}"
        values, first, error = self.java(
            peer.name, "StepMeasurement", peer.options, arguments, threads, peer, jdk, title
        )
        if error:
            return {"error": error}
        times = floats(values["step_seconds"])
        return {
            "version": values["version"],
            "difference": values["difference"],
            "environment": self.environment(peer, threads)[1],
            "first_loss": told(values["first_loss"]),
            "final_loss": told(values["final_loss"]),
            "step_seconds": times,
            "rows_per_second": case.batch / statistics.median(times),
            "least_rows_per_second": case.batch / max(times),
            "most_rows_per_second": case.batch / min(times),
            "first_step_seconds": first,
            "peak_mib": int(values["peak_kib"]) / 1024,
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

    def environment(self, peer, threads):
        """The whole environment of a peer's process, and what of it is set here."""
        set_here = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        set_here["MKL_NUM_THREADS"] = str(threads)
        if peer:
            set_here.update(peer.environment)
            if peer.system_openblas:
                set_here["LD_LIBRARY_PATH"] = "../openblas"  # from the folder that the process runs in
            if peer.openblas and self.core_type:
                set_here["OPENBLAS_CORETYPE"] = self.core_type
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        return {**kept, **set_here}, set_here

    def java(self, name, main, options, arguments, threads, peer=None, jdk=None, title=None):
        """Runs a class: its results, the seconds until it told the first one, and what failed."""
        unpacked = self.unpacked(name)
        (unpacked / "tmp").mkdir(parents=True, exist_ok=True)
        command = [self.jdks[jdk or self.newest()] + "/bin/java", *options, "-XX:+UseSerialGC"]
        command += ["-Xmx8g", "--enable-native-access=ALL-UNNAMED"]
        command += [f"-Djava.io.tmpdir={unpacked}/tmp", f"-DDJL_CACHE_DIR={unpacked}"]
        command += [f"-Dorg.bytedeco.javacpp.cachedir={unpacked}"]
        command += ["-cp", f"{BENCH / name / 'target/lib'}/*"]
        command += [f"io.deltarule.bench.{main}"] + [str(argument) for argument in arguments]
        tell(title or f"{name} {main}, threads {threads}")
        self.log.write(f"== {' '.join(command)}\n")
        self.log.flush()
        os.sched_setaffinity(0, self.cores[:threads])  # which the process inherits
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=unpacked / "tmp",  # some leave files where they run
            env=self.environment(peer, threads)[0],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        os.sched_setaffinity(0, self.cores)
        stopped = threading.Event()
        timer = threading.Timer(self.arguments.limit, lambda: (stopped.set(), kill(process)))
        timer.start()
        values, first, said = {}, None, []
        for line in process.stdout:
            self.log.write(line)
            if line.startswith("result "):
                first = first or time.monotonic() - began
                key, value = (line[7:].rstrip("\n") + " ").split(" ", 1)
                values[key] = value.strip()
            elif re.match(r"(Error: |Exception |Caused by: |[\w.]+(Error|Exception)\b)", line):
                said.append(line.strip())
        process.wait()
        timer.cancel()
        if stopped.is_set():
            reason = f"not done after {self.arguments.limit:.0f} s"
            return values, first, ": ".join([reason] + said[-1:])
        if "unsupported" in values:
            return values, first, values["unsupported"]
        if process.returncode != 0:
            reason = (said or ["it said nothing"])[-1]
            return values, first, f"exit status {process.returncode}: {reason}"
        return values, first, None


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
        sys.exit(f"ci/peers: {option} has {unknown}, which is none of {', '.join(sorted(known))}")
    return asked


def tell(text):
    print(f"{text} ...", file=sys.stderr, flush=True)


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)  # with the processes that it has started


def floats(text):
    return [float(word) for word in text.split()]


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
    parser.add_argument("--stacks", help="only these, such as 30-64-32-1,28-300x5-1")
    parser.add_argument("--warmup", type=float, help="seconds before it counts; default 8")
    parser.add_argument("--seconds", type=float, help="of all repeats; default 2")
    parser.add_argument("--repeats", type=int, help="default 9")
    parser.add_argument("--limit", type=float, default=300, help="seconds for one process")
    parser.add_argument("--quick", action="store_true", help="see that it works; no figures")
    parser.add_argument("--report", action="store_true", help="only write it again from peers.json")
    arguments = parser.parse_args()
    arguments.warmup = arguments.warmup or (0.2 if arguments.quick else 8)
    arguments.seconds = arguments.seconds or (0.2 if arguments.quick else 2)
    arguments.repeats = arguments.repeats or (3 if arguments.quick else 9)
    part = arguments.quick or arguments.peers or arguments.stacks
    out = TARGET / "report" if part else HOME / "docs/measurements"
    out.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        results = Measure(arguments).run()
        (out / "peers.json").write_text(json.dumps(results, indent=1) + "\n")
    report.write(out, None if part else HOME / "README.md")
    print((out / "peers.md").read_text())


if __name__ == "__main__":
    main()

"""Tables and a plot from peers.json."""

import json
import math
import statistics
from html import escape

RULES = {"SGD": "SGD", "ADAM": "Adam"}
BEGIN, END = "<!-- peers: begin, written by ci/peers -->", "<!-- peers: end -->"


def write(out, readme):
    results = json.loads((out / "peers.json").read_text())
    (out / "peers.md").write_text(markdown(results))
    (out / "peers.svg").write_text(plot(results))
    if readme:
        text = readme.read_text()
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        readme.write_text(f"{before}{BEGIN}\n{summary(results)}{END}{after}")


def short(stack):
    """28-300-300-300-1 as 28-300x3-1."""
    parts = []
    for width in stack.split("-"):
        if parts and parts[-1][0] == width:
            parts[-1][1] += 1
        else:
            parts.append([width, 1])
    return "-".join(
        f"{width}x{count}" if count > 2 else "-".join([width] * count) for width, count in parts
    )


ZEROS = (
    "Four fifths of the features are 0, as of an image's pixels, and about half of ReLU's activations: "
    "Deltarule leaves out zeros of large products. Multiplications are counted as if nobody did."
)


def summary(results):
    """For the README: one core, a line a peer."""
    rows = [row for row in results["steps"] if row["threads"] == 1]
    cases = list(dict.fromkeys(case_of(row) for row in rows))
    lines = [
        f"{conditions(results)} Rows/s on one core, medians; in brackets how many times as fast "
        "Deltarule is, on the newest JDK; the same weights, batches and loss in all but the marked. "
        f"{ZEROS}",
        "",
        "| what | " + " | ".join(cases) + " | first step | peak memory | on disk | lines of code |",
        "|---|" + "--:|" * (len(cases) + 4),
    ]
    for name in dict.fromkeys(name_of(row, results) for row in rows):
        mine = [row for row in rows if name_of(row, results) == name]
        cells = [rate(next((r for r in mine if case_of(r) == case), None), rows) for case in cases]
        lines.append(f"| {name} | " + " | ".join(cells + costs(mine, results)) + " |")
    lines += bound_line(results, rows, cases)
    lines += ["", "\\* not the same work, or not the same loss: see the full table.", ""]
    lines += ["![Rows/s of each library](docs/measurements/peers.svg)", ""]
    return "\n".join(lines)


def conditions(results):
    machine = results["machine"]
    return (
        f"{machine['cores']} cores of {machine['processor']}, {machine['system']}, {results['date']}; "
        f"load average {results['load']:.1f} before."
    )


def case_of(row):
    return f"{short(row['stack'])}, batch {row['batch']}, {RULES[row['rule']]}"


def name_of(row, results):
    several = len({r["jdk"] for r in results["steps"] if r["peer"] == row["peer"]}) > 1
    return f"{row['title']}, JDK {row['jdk']}" if several else row["title"]


def rate(row, rows):
    if row is None or "error" in row:
        return "-"
    times = compared(row, rows)
    told = f" ({factor(times[1])})" if times else ""
    return f"{significant(row['rows_per_second'])}{told}{'' if row['same_work'] else ' *'}"


def compared(row, rows):
    """How many times as fast this project is on the newest JDK: quartiles over the rounds."""
    own = next(r for r in rows if (case_of(r), r["threads"]) == (case_of(row), row["threads"]))
    if own is row or "error" in own:
        return None
    return quartiles(row["step_seconds"], own["step_seconds"])


def quartiles(these, those):
    """Of the ratios, one from each round."""
    ratios = [this / that for this, that in zip(these, those)]
    return statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3


def significant(value):
    """Three digits, such as 19,700."""
    digits = len(str(int(value)))
    return f"{round(value, min(0, 3 - digits)):,.0f}" if value >= 100 else f"{value:.3g}"


def costs(rows, results):
    """First step and memory of the first stack that was measured, size, lines of code."""
    measured = [row for row in rows if "error" not in row]
    size = results["peers"].get(rows[0]["peer"])
    if not measured or not size:
        return ["", "", "", ""]
    return [
        f"{measured[0]['first_step_seconds']:.2f} s",
        f"{measured[0]['peak_mib']:,.0f} MiB",
        f"{size['jars_mib'] + size['unpacked_mib']:,.0f} MiB",
        f"{size['code_lines']}",
    ]


def bound_line(results, rows, cases):
    bounds = [bound_of(results, next(row for row in rows if case_of(row) == case)) for case in cases]
    if None in bounds:
        return []
    cells = [significant(bound) for bound in bounds]
    return ["| at the FMA peak | " + " | ".join(cells) + " | | | | |"]


def bound_of(results, row):
    """Rows/s if all time went into the products, at the FMA peak."""
    peaks = peaks_of(results, case_of(row), row["threads"])
    return statistics.median(peaks) * 1e9 / (row["flops"] / row["batch"]) if peaks else None


def peaks_of(results, what, threads):
    """GFLOP/s in the same turns."""
    for peak in results["peaks"]:
        if peak["of"] == what and peak["threads"] == threads and "gflops" in peak:
            return peak["gflops"]
    return []


def markdown(results):
    lines = ["# Training steps on the CPU beside other libraries", "", conditions(results)]
    lines += [
        f"Written by `ci/peers`; each process warms up for {results['warmup']:g} s and is measured "
        f"{results['turns']} times for {results['turn']:g} s, by turns with the others, which are stopped "
        "meanwhile. A process may use as many cores as it has threads. Figures are medians; ratios "
        "are medians, too, of one ratio from each round of turns.",
        "Everybody has the batches ready in its own memory; Deltarule also gathers their rows in each step. "
        "Peak memory is that of the process with the data; the first step is counted from the start of the "
        "process, with everything unpacked before. Lines of code: without imports, comments and blank lines.",
        ZEROS,
        "",
        "## FMA peak in the same turns, GFLOP/s",
        "",
        "| beside | threads | median | least | most |",
        "|---|--:|--:|--:|--:|",
    ]
    for peak in results["peaks"]:
        told = [f"{v:.0f}" for v in spread(peak["gflops"])] if "gflops" in peak else [peak["error"]]
        lines.append(f"| {peak['of']} | {peak['threads']} | " + " | ".join(told) + " |")
    lines += core_types(results)
    lines += products(results)
    for case in dict.fromkeys(case_of(row) for row in results["steps"]):
        lines += ["", f"## {case}", ""]
        lines += steps([row for row in results["steps"] if case_of(row) == case], results)
    lines += ["", "## Size", ""]
    lines += ["| what | jars MiB | unpacked MiB | lines of code |", "|---|--:|--:|--:|"]
    for size in results["peers"].values():
        cells = [f"{size['jars_mib']:.1f}", f"{size['unpacked_mib']:.1f}", str(size["code_lines"])]
        lines.append(f"| {size['title']} | " + " | ".join(cells) + " |")
    settings = dict.fromkeys(environment_line(row) for row in results["steps"] if "environment" in row)
    if settings:
        lines += ["", "Set in the environment of the processes:", "", *settings]
    return "\n".join(lines) + "\n"


def environment_line(row):
    settings = " ".join(f"{name}={value}" for name, value in row["environment"].items())
    return f"- {row['title']}, threads {row['threads']}: {settings}"


def spread(values):
    return statistics.median(values), min(values), max(values)


def core_types(results):
    if not results["core_types"]:
        return []
    names = [name for name in results["core_types"][0] if name != "case"]
    lines = ["", "## OpenBLAS by hand with each of its kernels, rows/s on one core", ""]
    lines += ["All that use OpenBLAS had the fastest for the task, by OPENBLAS_CORETYPE.", ""]
    lines += ["| task | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for tried in results["core_types"]:
        cells = [significant(tried[name]) if tried[name] else "-" for name in names]
        lines.append(f"| {tried['case']} | " + " | ".join(cells) + " |")
    return lines


def products(results):
    """For each number of threads, this project on each JDK, and OpenBLAS's fastest kernels."""
    lines = []
    for threads in dict.fromkeys(p["threads"] for p in results["products"]):
        done = [p for p in results["products"] if p["threads"] == threads]
        own = [p for p in done if p["peer"] == "deltarule"]
        others = [p for p in done if p["peer"] != "deltarule"]
        lines += ["", f"## Matrix products, GFLOP/s, threads {threads}", ""]
        heads = [f"Deltarule, JDK {p['jdk']}" for p in own]
        heads += ["OpenBLAS", "with", "ratio"] if others else []
        heads += ["of the FMA peak"]
        lines += ["| m x k x n | " + " | ".join(heads) + " |", "|---|" + "--:|" * len(heads)]
        names = list(dict.fromkeys(name for p in done for name in p["seconds"]))
        peaks = peaks_of(results, "products", threads)
        for index, product in enumerate(names):
            mine = [speed(p, product) for p in own]
            cells = [f"{v:.1f}" if v else "-" for v in mine]
            if others:
                best = max(others, key=lambda p: speed(p, product) or 0)
                value = speed(best, product)
                cells += [f"{value:.1f}" if value else "-", best["core_type"]]
                cells += [ratio(best["seconds"].get(product), own[0]["seconds"].get(product))]
            least = [flops(product) / (peak * 1e9) for peak in peaks[index :: len(names)]]  # seconds
            cells += [ratio(least, own[0]["seconds"].get(product))]
            lines.append(f"| {product.replace(':', ' ')} | " + " | ".join(cells) + " |")
        lines.append("")
        for p in done:
            told = p.get("error") or p["version"]
            lines.append(f"- {p['peer']}, JDK {p['jdk']}, {p['core_type'] or 'vectors'}: {told}")
    if lines:
        lines += [
            "",
            "N: an operand as stored, T: transposed. Deltarule's are its equations, which also add a bias",
            "(NT), sum the columns (TN) or look for NaN in the activations (NN). Ratio, how many times as",
            "fast, and share are the newest JDK's, with quartiles.",
        ]
    return lines


def ratio(these, those):
    """The median of the ratios of seconds and its quartiles."""
    if not these or not those:
        return "-"
    return spread_told(quartiles(these, those))


def spread_told(of):
    low, middle, high = (factor(value) for value in of)
    return f"{middle} ({low} to {high})"


def factor(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def speed(run, product):
    times = run["seconds"].get(product)
    return flops(product) / statistics.median(times) * 1e-9 if times else None


def flops(product):
    return 2.0 * math.prod(int(size) for size in product.split(":")[1].split("x"))


def steps(rows, results):
    lines = [
        "| what | threads | rows/s | least | most | Deltarule is so many times as fast | GFLOP/s | of peak "
        "| loss, first and final | off by | first step s | peak MiB | note |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        start = f"| {name_of(row, results)} | {row['threads']} | "
        if "error" in row:
            lines.append(start + "- | | | | | | | | | | " + one_line(row["error"]) + " |")
            continue
        gflops = row["flops"] / row["batch"] * row["rows_per_second"] * 1e-9
        least = [row["flops"] / (peak * 1e9) for peak in peaks_of(results, case_of(row), row["threads"])]
        cells = [significant(row[f"{which}rows_per_second"]) for which in ("", "least_", "most_")]
        times = compared(row, rows)
        cells += [spread_told(times) if times else ""]
        cells += [f"{gflops:.1f}"]
        cells += [f"{100 * quartiles(least, row['step_seconds'])[1]:.0f} %" if least else ""]
        cells += [losses(row), f"{100 * row['loss_off']:.2f} %" if "loss_off" in row else ""]
        cells += [f"{row['first_step_seconds']:.2f}", f"{row['peak_mib']:,.0f}", note(row)]
        lines.append(start + " | ".join(cells) + " |")
    return lines


def losses(row):
    if row["final_loss"] is None:
        return "not told"
    return f"{row['first_loss']:.6f}, {row['final_loss']:.6f}"


def note(row):
    if row["difference"]:
        return f"not the same work: {one_line(row['difference'])}"
    if not row["same_work"]:
        return "not the same loss: something differs"
    return one_line(row["version"])


def one_line(text):
    return " ".join(text.split()).replace("|", "/")[:200]


BAR, NAMES, BARS, FIGURES = 18, 190, 420, 110  # heights of a bar, widths of the three columns


def plot(results):
    """A panel a stack: rows/s on one core as bars, up to what the FMA peak would give."""
    rows = [row for row in results["steps"] if row["threads"] == 1 and "error" not in row]
    parts, y = [], 8
    for case in dict.fromkeys(case_of(row) for row in rows):
        mine = [row for row in rows if case_of(row) == case]
        bars = [(name_of(row, results), row["rows_per_second"], kind(row)) for row in mine]
        bound = bound_of(results, mine[0])
        if bound:
            bars.append(("FMA peak", bound, "peak"))
        largest = max(value for _, value, _ in bars)
        y += BAR
        parts.append(f'<text x="0" y="{y}" class="case">{escape(case)}</text>')
        y += 8
        for name, value, css in sorted(bars, key=lambda bar: -bar[1]):
            width = max(1, BARS * value / largest)
            middle = y + BAR / 2 + 4
            box = f'x="{NAMES}" y="{y + 2}" width="{width:.1f}" height="{BAR - 4}"'
            parts += [
                f'<text x="{NAMES - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>',
                f'<rect {box} class="{css}"/>',
                f'<text x="{NAMES + width + 6:.1f}" y="{middle}">{significant(value)}</text>',
            ]
            y += BAR
        y += BAR / 2
    width = NAMES + BARS + FIGURES
    y += BAR
    parts.append(f'<text x="0" y="{y}">Rows/s on one core. Pale: not the same work or loss.</text>')
    style = (
        "svg{background:#fff}text{font:12px sans-serif;fill:#222}.case{font-weight:bold}"
        ".own{fill:#1b6ca8}.same{fill:#8a8f98}.other{fill:#d5d8dd}.peak{fill:none;stroke:#8a8f98}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 {width + 16} {y + 10:g}" width="{width}">\n'
        f"<style>{style}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def kind(row):
    if row["peer"] == "deltarule":
        return "own"
    return "same" if row["same_work"] else "other"

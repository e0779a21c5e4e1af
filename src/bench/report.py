"""Tables and a plot from peers.json."""

import json
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


def summary(results):
    """For the README: one core, a line a peer."""
    rows = [row for row in results["steps"] if row["threads"] == 1]
    cases = list(dict.fromkeys(case_of(row) for row in rows))
    lines = [
        f"{conditions(results)} Rows/s on one core, medians; the same weights, batches and loss in "
        "all but the marked.",
        "",
        "| what | " + " | ".join(cases) + " | first step | peak memory | on disk | lines of code |",
        "|---|" + "--:|" * (len(cases) + 4),
    ]
    for name in dict.fromkeys(name_of(row, results) for row in rows):
        mine = [row for row in rows if name_of(row, results) == name]
        cells = [rate(next((r for r in mine if case_of(r) == case), None)) for case in cases]
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


def rate(row):
    if row is None or "error" in row:
        return "-"
    return f"{significant(row['rows_per_second'])}{'' if row['same_work'] else ' *'}"


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
    peak = peak_of(results, 1)
    if not peak:
        return []
    flops = {case_of(row): row["flops"] / row["batch"] for row in rows}
    cells = [significant(peak * 1e9 / flops[case]) for case in cases]
    return [f"| at the FMA peak, {peak:.0f} GFLOP/s | " + " | ".join(cells) + " | | | | |"]


def peak_of(results, threads):
    for peak in results["peak"]:
        if peak["threads"] == threads and "gflops" in peak:
            return max(peak["gflops"])  # a ceiling, so the most of the repeats
    return None


def markdown(results):
    lines = ["# Training steps on the CPU beside other libraries", "", conditions(results)]
    lines += [
        f"Written by `ci/peers`; each process warms up for {results['warmup']:g} s and is measured for "
        f"{results['seconds']:g} s, in {results['repeats']} repeats. A process may use as many cores as it has threads.",
        "Everybody has the batches ready in its own memory; Deltarule also gathers their rows in each step. "
        "Peak memory is that of the process with the data; the first step is counted from the start of the "
        "process, with everything unpacked before. Lines of code: without imports, comments and blank lines.",
        "",
        "## Ceilings",
        "",
    ]
    for peak in results["peak"]:
        value = peak.get("error") or f"{max(peak['gflops']):.0f} GFLOP/s, {peak['vectors']}"
        lines.append(f"- FMA peak, threads {peak['threads']}: {value}")
    for core_type, tried in results.get("core_types", {}).items():
        value = tried.get("error") or f"{tried['gflops']:.0f} GFLOP/s, {tried['version']}"
        lines.append(f"- OpenBLAS, OPENBLAS_CORETYPE={core_type}, 512 cubed, one thread: {value}")
    core_type = results["core_type"] or "unset"
    lines += [f"- What uses OpenBLAS below ran with OPENBLAS_CORETYPE={core_type}.", ""]
    lines += products(results)
    for case in dict.fromkeys(case_of(row) for row in results["steps"]):
        lines += ["", f"## {case}", ""]
        lines += steps([row for row in results["steps"] if case_of(row) == case], results)
    lines += ["", "## Size", ""]
    lines += ["| what | jars MiB | unpacked MiB | lines of code |", "|---|--:|--:|--:|"]
    for size in results["peers"].values():
        cells = [f"{size['jars_mib']:.1f}", f"{size['unpacked_mib']:.1f}", str(size["code_lines"])]
        lines.append(f"| {size['title']} | " + " | ".join(cells) + " |")
    lines += ["", "Set in the environment of the processes:", ""]
    lines += dict.fromkeys(environment_line(row) for row in results["steps"] if "environment" in row)
    return "\n".join(lines) + "\n"


def environment_line(row):
    settings = " ".join(f"{name}={value}" for name, value in row["environment"].items())
    return f"- {row['title']}, threads {row['threads']}: {settings}"


def products(results):
    done = results["products"]
    if not done:
        return []
    lines = ["## Matrix products, GFLOP/s", ""]
    heads = [f"{p['peer']}, JDK {p['jdk']}, threads {p['threads']}" for p in done]
    lines += ["| m x k x n | " + " | ".join(heads) + " |", "|---|" + "--:|" * len(heads)]
    for product in dict.fromkeys(name for p in done for name in p["seconds"]):
        order, shape = product.split(":")
        m, k, n = (int(size) for size in shape.split("x"))
        cells = []
        for p in done:
            times = p["seconds"].get(product)
            cells.append(f"{2.0 * m * n * k / statistics.median(times) * 1e-9:.1f}" if times else "-")
        lines.append(f"| {order} {shape} | " + " | ".join(cells) + " |")
    lines += [""] + [f"- {h}: {p.get('error') or p['version']}" for h, p in zip(heads, done)]
    lines += [
        "",
        "N: an operand as stored, T: transposed. Deltarule's are its equations, which also add a bias (NT)",
        "or sum the columns (TN).",
    ]
    return lines


def steps(rows, results):
    lines = [
        "| what | threads | rows/s | least | most | GFLOP/s | of peak | loss, first and final | off by "
        "| first step s | peak MiB | note |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        start = f"| {name_of(row, results)} | {row['threads']} | "
        if "error" in row:
            lines.append(start + "- | | | | | | | | | " + one_line(row["error"]) + " |")
            continue
        gflops = row["flops"] / row["batch"] * row["rows_per_second"] * 1e-9
        peak = peak_of(results, row["threads"])
        cells = [significant(row[f"{which}rows_per_second"]) for which in ("", "least_", "most_")]
        cells += [f"{gflops:.1f}", f"{100 * gflops / peak:.0f} %" if peak else ""]
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
    peak = peak_of(results, 1)
    parts, y = [], 8
    for case in dict.fromkeys(case_of(row) for row in rows):
        mine = [row for row in rows if case_of(row) == case]
        bars = [(name_of(row, results), row["rows_per_second"], kind(row)) for row in mine]
        if peak:
            bars.append(("FMA peak", peak * 1e9 / (mine[0]["flops"] / mine[0]["batch"]), "peak"))
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

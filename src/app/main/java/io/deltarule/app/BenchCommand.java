package io.deltarule.app;

import io.deltarule.engine.Engine;
import io.deltarule.network.Network;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures the training step of a stack, whole and phase by phase. */
@Command(
    name = "bench",
    description =
        "Measures the training step of a stack on random data: each phase by itself, then the whole "
            + "recorded step. Medians of repeats after a warm-up, with the fastest and the slowest.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  deltarule bench --stack 784-1024-1024-1 --batch 256",
      "  deltarule bench --hidden 64,32 --batch 32 --json"
    })
final class BenchCommand implements Callable<Integer> {
  private static final int MOST_REPEATS = 100_000;

  @Mixin private StackOptionsMixin stackOptions = new StackOptionsMixin();
  @Mixin private EngineOptionsMixin engineOptions = new EngineOptionsMixin();

  @Option(
      names = "--optimizer",
      paramLabel = "sgd|momentum|adam|adamw",
      description = "The update to measure. Default: sgd")
  private Optimizer optimizer = Optimizer.SGD;

  @Option(
      names = "--batch",
      paramLabel = "N",
      converter = Converters.Positive.class,
      description = "Rows of a mini-batch. Default: ${DEFAULT-VALUE}")
  private int batch = 32;

  @Option(
      names = "--repeats",
      paramLabel = "N",
      converter = Converters.Positive.class,
      description = "Measurements of each phase. Default: ${DEFAULT-VALUE}")
  private int repeats = 15;

  @Option(
      names = "--seconds",
      paramLabel = "X",
      converter = Converters.Size.class,
      description = "Time to spend on each phase, and as much on its warm-up. Default: 1")
  private double seconds = 1;

  @Option(names = "--json", description = "One JSON object as the last line.")
  private boolean json;

  @Spec private CommandSpec spec;

  BenchCommand() {}

  @Override
  public Integer call() {
    if (repeats > MOST_REPEATS) {
      throw new ParameterException(spec.commandLine(), "--repeats must be at most " + MOST_REPEATS);
    }
    Network network = stackOptions.network(spec.commandLine());
    PrintWriter out = spec.commandLine().getOut();
    try (Engine engine = engineOptions.open();
        StepBenchmark benchmark =
            new StepBenchmark(engine, network, batch, optimizer.rule(), optimizer.weightDecay())) {
      engineOptions.tellChoice(spec.commandLine().getErr());
      out.printf(
          "%s, batch %d, %s, %s%n",
          network, batch, optimizer.name().toLowerCase(Locale.ROOT), engine.description());
      out.printf(
          "%-22s %12s %12s %12s %14s %9s%n",
          "phase", "median us", "fastest", "slowest", "rows/s", "GFLOP/s");
      List<Map<String, Object>> phases = new ArrayList<>();
      for (StepBenchmark.Phase phase : benchmark.phases()) {
        StepBenchmark.Timing timing = benchmark.time(phase, seconds, repeats);
        out.printf(
            Locale.ROOT,
            "%-22s %12.1f %12.1f %12.1f %,14.0f %9s%n",
            phase.name(),
            timing.median() * 1e6,
            timing.fastest() * 1e6,
            timing.slowest() * 1e6,
            batch / timing.median(),
            phase.operations() == 0
                ? "-"
                : String.format(Locale.ROOT, "%.1f", phase.operations() / timing.median() * 1e-9));
        out.flush();
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("phase", phase.name());
        entry.put("median_seconds", timing.median());
        entry.put("fastest_seconds", timing.fastest());
        entry.put("slowest_seconds", timing.slowest());
        entry.put("rows_per_second", batch / timing.median());
        entry.put(
            "gflops", phase.operations() == 0 ? null : phase.operations() / timing.median() * 1e-9);
        phases.add(entry);
      }
      if (json) {
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("engine", engine.description().engine());
        summary.put("device", engine.description().device());
        summary.put("precision", engine.description().precision().spelling());
        summary.put("stack", network.stack());
        summary.put("batch", batch);
        summary.put("optimizer", optimizer.name().toLowerCase(Locale.ROOT));
        summary.put("repeats", repeats);
        summary.put("phases", phases);
        out.println(Json.of(summary));
      }
      return Main.DONE;
    }
  }
}

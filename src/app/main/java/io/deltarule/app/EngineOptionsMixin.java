package io.deltarule.app;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Precision;
import java.io.PrintWriter;
import picocli.CommandLine.Option;

/** Which engine, and how. */
final class EngineOptionsMixin {
  @Option(
      names = "--engine",
      paramLabel = "NAME",
      description =
          "auto takes the fastest usable engine and says which; a named one is that one or an error. "
              + "See: deltarule engines. Default: ${DEFAULT-VALUE}")
  String engine = Engines.AUTO;

  @Option(
      names = "--precision",
      paramLabel = "fp32|tf32|bf16",
      converter = Converters.OfPrecision.class,
      description = "Precision of the matrix products. Default: fp32")
  Precision precision = Precision.FP32;

  @Option(
      names = "--threads",
      paramLabel = "N",
      converter = Converters.NotNegative.class,
      description = "Threads of an engine on the CPU. Default: all processors")
  int threads = 0;

  @Option(
      names = "--device",
      paramLabel = "N|NAME",
      description =
          "Which device of several: its number from 0, or a part of its name. Default: the best")
  String device = "";

  private Engines.Choice choice;

  /** Opens the engine, to be closed by the caller. */
  Engine open() {
    choice = Engines.choose(engine, new EngineOptions(precision, threads, device));
    return choice.engine();
  }

  /** Says which engine was taken, and why, where it was left to choose. */
  void tellChoice(PrintWriter err) {
    if (engine.equals(Engines.AUTO)) {
      err.println(choice.reason());
    }
  }
}

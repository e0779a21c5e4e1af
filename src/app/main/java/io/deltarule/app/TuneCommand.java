package io.deltarule.app;

import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Precision;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Tunes an engine for a device. */
@Command(
    name = "tune",
    description =
        "Searches the fastest settings of an engine for a device, and keeps them in the user's cache "
            + "folder. Every candidate is verified before it is timed.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "Examples:", "  deltarule tune --engine opencl --seconds 120"})
final class TuneCommand implements Callable<Integer> {
  @Option(
      names = "--engine",
      paramLabel = "NAME",
      required = true,
      description = "The engine to tune. See: deltarule engines")
  private String engine;

  @Option(
      names = "--device",
      paramLabel = "N|NAME",
      description =
          "Which device of several: its number from 0, or a part of its name. Default: the best")
  private String device = "";

  @Option(
      names = "--seconds",
      paramLabel = "X",
      converter = Converters.Size.class,
      description = "How long to search. Default: 60")
  private double seconds = 60;

  @Spec private CommandSpec spec;

  TuneCommand() {}

  @Override
  public Integer call() {
    String found =
        Engines.provider(engine)
            .tune(
                new EngineOptions(Precision.FP32, 0, device),
                seconds,
                spec.commandLine().getErr()::println);
    spec.commandLine().getOut().println(found);
    return Main.DONE;
  }
}

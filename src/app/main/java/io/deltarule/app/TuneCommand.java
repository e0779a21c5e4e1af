package io.deltarule.app;

import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
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
  @Mixin private EngineOptionsMixin engineOptions = new EngineOptionsMixin();

  @Option(
      names = "--seconds",
      paramLabel = "X",
      converter = Converters.Size.class,
      description = "How long to search. Default: ${DEFAULT-VALUE}")
  private double seconds = 60;

  @Spec private CommandSpec spec;

  TuneCommand() {}

  @Override
  public Integer call() {
    if (engineOptions.engine.equals(Engines.AUTO)) {
      throw new ParameterException(spec.commandLine(), "--engine must name the engine to tune");
    }
    EngineOptions options =
        new EngineOptions(engineOptions.precision, engineOptions.threads, engineOptions.device);
    String found =
        Engines.provider(engineOptions.engine)
            .tune(options, seconds, spec.commandLine().getErr()::println);
    spec.commandLine().getOut().println(found);
    return Main.DONE;
  }
}

package io.deltarule.app;

import io.deltarule.engine.Output;
import io.deltarule.network.Network;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** A whole network, where no data tells its width at both ends. */
final class StackOptionsMixin {
  @Option(
      names = "--stack",
      paramLabel = "N-N-...",
      converter = Converters.Stack.class,
      description =
          "All widths from the inputs to the outputs. Default: 30, those of --hidden, and 1 (10 for "
              + "softmax)")
  private Widths stack;

  @Mixin private NetworkOptionsMixin networkOptions = new NetworkOptionsMixin();

  /** The network; what does not fit together is reported for the command. */
  Network network(CommandLine command) {
    if (stack != null && command.getParseResult().hasMatchedOption("--hidden")) {
      throw new ParameterException(command, "--stack and --hidden exclude each other");
    }
    List<Integer> widths;
    if (stack != null) {
      widths = stack.units();
    } else {
      widths = new ArrayList<>(List.of(30));
      widths.addAll(networkOptions.hidden());
      widths.add(networkOptions.output == Output.SOFTMAX ? 10 : 1);
    }
    int last = widths.size() - 1;
    try {
      return new Network(
          widths.get(0),
          widths.subList(1, last),
          networkOptions.activation,
          widths.get(last),
          networkOptions.output);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(command, e.getMessage(), e);
    }
  }
}

package io.deltarule.app;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import java.util.List;
import picocli.CommandLine.Option;

/** The hidden layers and the output of a network whose width at both ends the data tells. */
final class NetworkOptionsMixin {
  @Option(
      names = "--hidden",
      paramLabel = "N,N,...",
      converter = Converters.Hidden.class,
      description = "Units of the hidden layers; none for no hidden layer. Default: 64,32")
  private Widths hidden = new Widths(List.of(64, 32));

  @Option(
      names = "--activation",
      paramLabel = "NAME",
      converter = Converters.OfActivation.class,
      description =
          "Activation of the hidden layers: relu, leaky_relu, tanh, sigmoid, gelu or identity. "
              + "Default: relu")
  Activation activation = Activation.RELU;

  @Option(
      names = "--output",
      paramLabel = "sigmoid|softmax|linear",
      converter = Converters.OfOutput.class,
      description =
          "Link and loss: sigmoid with binary cross-entropy for two classes, softmax with "
              + "cross-entropy for more, linear with squared error for numbers. Default: sigmoid")
  Output output = Output.SIGMOID;

  List<Integer> hidden() {
    return hidden.units();
  }
}

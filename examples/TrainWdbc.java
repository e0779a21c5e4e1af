import io.deltarule.data.CsvOptions;
import io.deltarule.data.Datasets;
import io.deltarule.data.Normalization;
import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Output;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Inference;
import io.deltarule.training.Metrics;
import io.deltarule.training.Preparation;
import io.deltarule.training.Trainer;
import io.deltarule.training.TrainingOptions;
import java.nio.file.Path;
import java.util.List;

/**
 * Trains on the quick-start data from Java. After a build, from the project's folder: {@code java
 * -cp "src/app/target/lib/*" examples/TrainWdbc.java}
 */
public final class TrainWdbc {
  private TrainWdbc() {}

  /**
   * Trains and prints the held-out metrics.
   *
   * @param arguments the CSV file, by default the one in examples
   */
  public static void main(String[] arguments) {
    Path file = Path.of(arguments.length > 0 ? arguments[0] : "examples/wdbc.csv");
    var data = Datasets.read(file, CsvOptions.DEFAULT);
    var prepared = Preparation.of(data, Output.SIGMOID, Normalization.COLUMN, 0.2, 0.1, 1);
    var network = new Network(data.inputs(), List.of(64, 32), Activation.RELU, 1, Output.SIGMOID);
    try (Engine engine = Engines.open("auto")) {
      var result =
          new Trainer(engine, TrainingOptions.DEFAULT)
              .train(Parameters.initialise(network, 1), prepared.training(), prepared.validation());
      var heldOut = prepared.heldOut().orElseThrow();
      var logits = Inference.logits(engine, result.parameters(), heldOut.features());
      System.out.println(engine.description() + ": " + result.epochs().size() + " epochs");
      System.out.println(Metrics.of(Output.SIGMOID, logits, heldOut));
    }
  }
}

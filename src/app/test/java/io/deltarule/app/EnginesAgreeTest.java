package io.deltarule.app;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.deltarule.data.CsvOptions;
import io.deltarule.data.Datasets;
import io.deltarule.data.Normalization;
import io.deltarule.engine.Activation;
import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Output;
import io.deltarule.engine.Tolerance;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Inference;
import io.deltarule.training.Metrics;
import io.deltarule.training.Preparation;
import io.deltarule.training.Samples;
import io.deltarule.training.Trainer;
import io.deltarule.training.TrainingListener.Epoch;
import io.deltarule.training.TrainingOptions;
import io.deltarule.training.TrainingResult;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every engine trains as the host does: the same losses epoch by epoch, the same accuracy. */
class EnginesAgreeTest {

  /** What training on one engine gave. */
  private record Run(TrainingResult result, Metrics heldOut) {}

  private static Run train(String name) {
    var data = Datasets.read(Cli.WDBC, CsvOptions.DEFAULT);
    var prepared = Preparation.of(data, Output.SIGMOID, Normalization.COLUMN, 0.2, 0.1, 1);
    Network network = new Network(30, List.of(64, 32), Activation.RELU, 1, Output.SIGMOID);
    try (Engine engine = Engines.open(name)) {
      TrainingResult result =
          new Trainer(engine, TrainingOptions.DEFAULT)
              .train(Parameters.initialise(network, 1), prepared.training(), prepared.validation());
      Samples heldOut = prepared.heldOut().orElseThrow();
      float[] logits = Inference.logits(engine, result.parameters(), heldOut.features());
      return new Run(result, Metrics.of(Output.SIGMOID, logits, heldOut));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = "opencl")
  void trainsAsTheHostDoes(String engine) {
    Availability availability = Engines.provider(engine).probe();
    assumeTrue(availability.usable(), () -> availability.detail() + "; " + availability.remedy());
    Run host = train("host");
    Run other = train(engine);
    List<Epoch> expected = host.result.epochs();
    List<Epoch> actual = other.result.epochs();
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      Tolerance tolerance = Tolerance.training((i + 1) * 13); // 409 rows are 13 steps of 32
      String place = "epoch " + (i + 1) + ": " + expected.get(i) + ", " + actual.get(i);
      assertTrue(tolerance.accepts(actual.get(i).trainLoss(), expected.get(i).trainLoss()), place);
      assertTrue(
          tolerance.accepts(actual.get(i).validationLoss(), expected.get(i).validationLoss()),
          place);
    }
    assertEquals(host.heldOut.accuracy(), other.heldOut.accuracy());
    assertEquals(host.result.bestEpoch(), other.result.bestEpoch());
  }
}

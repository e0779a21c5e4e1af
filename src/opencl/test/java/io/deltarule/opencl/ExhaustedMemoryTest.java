package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Output;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.DataPlacement;
import io.deltarule.training.RateSchedule;
import io.deltarule.training.Samples;
import io.deltarule.training.Trainer;
import io.deltarule.training.TrainingOptions;
import io.deltarule.training.TrainingResult;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Training on a device that is too small says what would fit, which then does. */
class ExhaustedMemoryTest {
  private static final int MEBIBYTE = 1 << 20;

  private static TrainingOptions batch(int rows) {
    return new TrainingOptions(1, rows, TrainingOptions.ADAM, 1e-3, RateSchedule.COSINE, 0, 0, 1);
  }

  @Test
  void theBatchThatWouldFitDoes() {
    Device device = TestDevice.require().limited(256, 32 << 10, 4 * MEBIBYTE, MEBIBYTE);
    Network network = new Network(10, List.of(200, 100), Activation.RELU, 1, Output.SIGMOID);
    Samples samples = new Samples(5000, 10, new float[50_000], 1, new float[5000]);
    Parameters initial = Parameters.initialise(network, 1);
    try (OpenClEngine engine =
        new OpenClEngine(device, Tuning.standard(device), TestDevice.CACHE)) {
      String message =
          assertThrows(
                  EngineMemoryException.class,
                  () ->
                      new Trainer(engine, batch(4000))
                          .train(initial, samples, Optional.of(samples)))
              .getMessage();
      assertEquals(1, message.lines().count(), message);
      Matcher fits = Pattern.compile("; a batch of (\\d+) rows would fit$").matcher(message);
      assertTrue(fits.find(), message);
      int rows = Integer.parseInt(fits.group(1));
      assertTrue(rows > 100 && rows < 4000, message);
      new Trainer(engine, batch(rows)).train(initial, samples, Optional.of(samples));
      assertEquals(0, engine.allocatedBytes());
    }
  }

  @Test
  void dataThatDoesNotFitIsStreamed() {
    Device device = TestDevice.require().limited(256, 32 << 10, 4 * MEBIBYTE, MEBIBYTE);
    Network network = new Network(10, List.of(20), Activation.RELU, 1, Output.SIGMOID);
    Samples samples = new Samples(50_000, 10, new float[500_000], 1, new float[50_000]);
    try (OpenClEngine engine =
        new OpenClEngine(device, Tuning.standard(device), TestDevice.CACHE)) {
      TrainingResult result =
          new Trainer(engine, batch(1000))
              .train(Parameters.initialise(network, 1), samples, Optional.of(samples));
      assertEquals(DataPlacement.HOST, result.placement());
      assertEquals(0, engine.allocatedBytes());
    }
  }

  @Test
  void whatNeverFitsIsSaid() {
    Device device = TestDevice.require().limited(256, 32 << 10, 4 * MEBIBYTE, 4 * MEBIBYTE);
    Network network = new Network(10, List.of(2000, 2000), Activation.RELU, 1, Output.SIGMOID);
    Samples samples = new Samples(100, 10, new float[1000], 1, new float[100]);
    try (OpenClEngine engine =
        new OpenClEngine(device, Tuning.standard(device), TestDevice.CACHE)) {
      String message =
          assertThrows(
                  EngineMemoryException.class,
                  () ->
                      new Trainer(engine, batch(10))
                          .train(Parameters.initialise(network, 1), samples, Optional.empty()))
              .getMessage();
      assertTrue(message.endsWith("; take a smaller network"), message);
    }
  }
}

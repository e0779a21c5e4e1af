package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.DataPlacement;
import io.deltarule.training.RateSchedule;
import io.deltarule.training.Samples;
import io.deltarule.training.Trainer;
import io.deltarule.training.TrainingOptions;
import io.deltarule.training.TrainingResult;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A card with little memory, and transfers larger than the pinned memory that they go through. */
@ExtendWith(FakeCard.class)
class MemoryTest {
  private static final long MEMORY = 24 << 20;

  @Test
  void exhaustedMemoryIsSaidAndTheEngineGoesOn() {
    FakeDriver.configure(1, 80, 12060, MEMORY, 4);
    try (CudaEngine engine = FakeCard.open()) {
      Matrix kept = engine.allocate("kept", 1000, 1000);
      String message =
          assertThrows(EngineMemoryException.class, () -> engine.allocate("huge", 1 << 12, 1 << 12))
              .getMessage();
      for (String part : new String[] {"huge", "67108864 bytes", MEMORY + " bytes", "kept"}) {
        assertTrue(message.contains(part), message);
      }
      assertEquals(1, message.lines().count(), message);
      float[] values = new float[1_000_000];
      values[999_999] = 1;
      engine.write(kept, values);
      float[] read = new float[1_000_000];
      engine.read(kept, read);
      assertArrayEquals(values, read);
    }
  }

  /** What does not fit is uploaded batch by batch; the bits are those of a larger card. */
  @Test
  void dataThatDoesNotFitIsStreamed() {
    int rows = 600;
    int inputs = 9000;
    float[] features = new float[rows * inputs];
    float[] targets = new float[rows];
    for (int i = 0; i < features.length; i++) {
      features[i] = (i * 7 % 13 - 6) / 6f;
    }
    for (int i = 0; i < rows; i++) {
      targets[i] = i % 2;
    }
    Samples samples = new Samples(rows, inputs, features, 1, targets);
    TrainingResult large = train(samples);
    assertEquals(DataPlacement.DEVICE, large.placement());
    FakeDriver.configure(1, 80, 12060, MEMORY, 4);
    TrainingResult small = train(samples);
    assertEquals(DataPlacement.HOST, small.placement());
    for (int l = 0; l < 2; l++) {
      assertArrayEquals(large.parameters().weights()[l], small.parameters().weights()[l]);
    }
  }

  private static TrainingResult train(Samples samples) {
    Network network = new Network(samples.inputs(), List.of(3), Activation.RELU, 1, Output.SIGMOID);
    TrainingOptions options =
        new TrainingOptions(2, 64, TrainingOptions.ADAM, 0.01, RateSchedule.CONSTANT, 0, 0, 1);
    try (CudaEngine engine = FakeCard.open()) {
      return new Trainer(engine, options)
          .train(Parameters.initialise(network, 1), samples, Optional.empty());
    }
  }

  @Test
  void transfersOfAnySizeArrive() {
    try (CudaEngine engine = FakeCard.open()) {
      for (int size : new int[] {1, 1_048_575, 1_048_576, 1_048_577, 3_500_000}) {
        try (Matrix matrix = engine.allocate("matrix", 1, size)) {
          float[] values = new float[size];
          for (int round = 0; round < 3; round++) {
            for (int i = 0; i < size; i++) {
              values[i] = i + round;
            }
            engine.write(matrix, values);
            Arrays.fill(values, -1);
          }
          engine.read(matrix, values);
          for (int i = 0; i < size; i++) {
            assertEquals(i + 2f, values[i]);
          }
        }
      }
    }
  }
}

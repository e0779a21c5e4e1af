package io.deltarule.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.LimitedEngine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Where the samples lie: the choice, what it costs, and what is said where nothing fits. */
class DataPlacementTest {
  private static final long PLENTY = Long.MAX_VALUE;
  private static final Pattern BATCH = Pattern.compile("a batch of (\\d+) rows? would fit$");

  private final Samples training = TrainingContract.plane(500, 6, Output.SIGMOID, 1);
  private final Samples validation = TrainingContract.plane(300, 6, Output.SIGMOID, 2);
  private final Parameters initial = initial(Activation.GELU);

  private static Parameters initial(Activation activation) {
    return Parameters.initialise(new Network(6, List.of(5, 3), activation, 1, Output.SIGMOID), 1);
  }

  private static TrainingOptions options(int batch, DataPlacement placement) {
    return new TrainingOptions(
        1, batch, TrainingOptions.ADAM, 0.01, RateSchedule.COSINE, 0, 0, 3, placement);
  }

  private TrainingResult train(Engine engine, int batch, DataPlacement placement) {
    return new Trainer(engine, options(batch, placement))
        .train(initial, training, Optional.of(validation));
  }

  @ParameterizedTest
  @CsvSource({"103, 20", "100, 20", "64, 64", "7, 4", "1, 1"})
  void theSameBitsFromTheHost(int rows, int batch) {
    try (Engine engine = new LimitedEngine(PLENTY, PLENTY)) {
      TrainingContract.assertSameFromHost(engine, rows, batch);
    }
  }

  @ParameterizedTest
  @CsvSource({"55000, 55000, HOST", "100000, 10000, HOST", "100000, 100000, DEVICE"})
  void theDeviceIsTakenIfTheDataFits(long total, long largest, DataPlacement expected) {
    List<String> reasons = new ArrayList<>();
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void streaming(String reason) {
            reasons.add(reason);
          }
        };
    try (Engine small = new LimitedEngine(total, largest);
        Engine large = new LimitedEngine(PLENTY, PLENTY)) {
      TrainingResult result =
          new Trainer(small, options(32, DataPlacement.AUTO), listener, () -> false)
              .train(initial, training, Optional.of(validation));
      assertEquals(expected, result.placement());
      assertEquals(expected == DataPlacement.HOST ? 1 : 0, reasons.size());
      for (String reason : reasons) {
        assertEquals(1, reason.lines().count(), reason);
        assertTrue(reason.contains("no room for "), reason);
      }
      assertEquals(0, small.allocatedBytes());
      TrainingContract.assertSame(train(large, 32, DataPlacement.DEVICE), result);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "DEVICE, GELU, true",
    "DEVICE, RELU, true",
    "DEVICE, RELU, false",
    "HOST, GELU, true",
    "HOST, RELU, true",
    "HOST, GELU, false"
  })
  void theAdvisedBatchTrains(DataPlacement placement, Activation activation, boolean validates) {
    Attempt attempt =
        (engine, batch, where) ->
            new Trainer(engine, options(batch, where))
                .train(
                    initial(activation),
                    training,
                    validates ? Optional.of(validation) : Optional.empty());
    Set<String> advice = new TreeSet<>();
    for (long total = 1000; total < 100_000; total += total / 12) {
      advice.add(adviceFollowed(total, PLENTY, placement, attempt));
    }
    for (long largest = 200; largest < 30_000; largest += largest / 12) {
      advice.add(adviceFollowed(PLENTY, largest, placement, attempt));
    }
    Set<String> all = new TreeSet<>(Set.of("none needed", "another batch", "a smaller network"));
    if (placement == DataPlacement.DEVICE) {
      all.add("data on the host");
    }
    assertEquals(all, advice);
  }

  private interface Attempt {
    void train(Engine engine, int batch, DataPlacement placement);
  }

  /** Trains, if need be as the message says, and tells what it said. */
  private static String adviceFollowed(
      long total, long largest, DataPlacement placement, Attempt attempt) {
    try (Engine engine = new LimitedEngine(total, largest);
        Matrix held = engine.allocate("of the caller", 1, 10)) {
      try {
        attempt.train(engine, 100, placement);
        return "none needed";
      } catch (EngineMemoryException e) {
        Matcher advised = BATCH.matcher(e.getMessage());
        if (!advised.find()) {
          assertTrue(e.getMessage().endsWith("take a smaller network"), e.getMessage());
          for (int batch = 1; batch <= 100; batch++) {
            int refused = batch;
            assertThrows(
                EngineMemoryException.class,
                () -> attempt.train(engine, refused, DataPlacement.HOST));
          }
          return "a smaller network";
        }
        boolean host = e.getMessage().contains("with the data on the host");
        int batch = Integer.parseInt(advised.group(1));
        DataPlacement advisedPlacement = host ? DataPlacement.HOST : placement;
        attempt.train(engine, batch, advisedPlacement);
        if (batch < 100) {
          assertThrows(
              EngineMemoryException.class,
              () -> attempt.train(engine, batch + 1, advisedPlacement));
        }
        return host ? "data on the host" : "another batch";
      } finally {
        assertEquals(4 * held.size(), engine.allocatedBytes());
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aFailureInTheMiddleLeavesNothing(DataPlacement placement) {
    AtomicInteger asked = new AtomicInteger();
    try (Engine engine = new LimitedEngine(PLENTY, PLENTY)) {
      Trainer trainer =
          new Trainer(
              engine,
              options(8, placement),
              new TrainingListener() {},
              () -> {
                if (asked.incrementAndGet() == 3) {
                  throw new IllegalStateException("enough");
                }
                return false;
              });
      assertThrows(
          IllegalStateException.class, () -> trainer.train(initial, training, Optional.empty()));
      assertEquals(0, engine.allocatedBytes());
    }
  }

  @Test
  void inferenceHoldsOneBatch() {
    Samples many = TrainingContract.plane(5000, 6, Output.SIGMOID, 4);
    try (Engine small = new LimitedEngine(100_000, 100_000);
        Engine large = new LimitedEngine(PLENTY, PLENTY)) {
      float[] logits = Inference.logits(small, initial, many.features());
      float[] tail = many.select(new int[] {4998, 4999}).features();
      float[] last = Inference.logits(large, initial, tail);
      assertEquals(5000, logits.length);
      assertEquals(last[0], logits[4998]);
      assertEquals(last[1], logits[4999]);
      assertEquals(0, small.allocatedBytes());
      assertEquals(0, Inference.logits(small, initial, new float[0]).length);
    }
  }
}

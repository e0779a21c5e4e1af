package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.RateSchedule;
import io.deltarule.training.Samples;
import io.deltarule.training.Trainer;
import io.deltarule.training.TrainingOptions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every call of the driver and of cuBLAS fails once: each time one named exception, no leak. */
class FailuresTest {
  private static final int FAILED = 999; // CUDA_ERROR_UNKNOWN
  private static final int MOST_TIMES = 12; // failures of one function, spread over its calls

  /** What frees something: its failure is logged, and what it did not free stays. */
  private static final Set<String> RELEASES =
      Set.of(
          "cuDevicePrimaryCtxRelease",
          "cuStreamDestroy",
          "cuEventDestroy",
          "cuMemFree",
          "cuMemFreeHost",
          "cuModuleUnload",
          "cuGraphDestroy",
          "cuGraphExecDestroy",
          "cublasDestroy");

  @BeforeAll
  static void insertCard() {
    FakeCard.insert();
  }

  @BeforeEach
  @AfterEach
  void reset() {
    FakeCard.reset();
  }

  static Stream<Arguments> engines() {
    return Stream.of(
        arguments(Precision.FP32, Products.Rule.DEFAULT),
        arguments(Precision.BF16, FakeCard.NONE_SMALL));
  }

  /** Opens, trains a stack for two epochs, infers, closes. */
  private static void work(Precision precision, Products.Rule rule) {
    float[] features = new float[3 * 11];
    float[] targets = new float[11];
    for (int i = 0; i < features.length; i++) {
      features[i] = i % 7 - 3;
    }
    for (int i = 0; i < targets.length; i++) {
      targets[i] = i % 2;
    }
    Samples samples = new Samples(11, 3, features, 1, targets);
    Network network = new Network(3, List.of(5, 4), Activation.RELU, 1, Output.SIGMOID);
    TrainingOptions options =
        new TrainingOptions(2, 4, TrainingOptions.ADAM, 0.01, RateSchedule.CONSTANT, 0, 0, 1);
    try (Engine engine = FakeCard.open(precision, true, rule)) {
      new Trainer(engine, options)
          .train(Parameters.initialise(network, 1), samples, Optional.of(samples));
    }
  }

  @ParameterizedTest
  @MethodSource("engines")
  void whateverFailsIsNamedAndLeaksNothing(Precision precision, Products.Rule rule) {
    work(precision, rule);
    FakeCard.assertClean();
    Map<String, Integer> counts = FakeDriver.callCounts();
    assertTrue(counts.size() > 30, counts.toString());
    for (Map.Entry<String, Integer> entry : counts.entrySet()) {
      int stride = Math.max(1, entry.getValue() / MOST_TIMES);
      int nth = 1;
      while (nth <= entry.getValue() && fails(entry.getKey(), nth, precision, rule)) {
        nth += stride;
      }
      assertTrue(nth > 1, entry.getKey() + " was not called");
    }
  }

  /** Whether there was such a call: how often the trainer waits depends on the time. */
  private static boolean fails(String call, int nth, Precision precision, Products.Rule rule) {
    FakeCard.reset();
    FakeDriver.failNext(call, nth, FAILED);
    String place = call + ", call " + nth;
    EngineException thrown = null;
    try {
      work(precision, rule);
    } catch (EngineException e) {
      thrown = e;
    }
    if (FakeDriver.pendingFailures() > 0) {
      assertEquals(null, thrown, place);
      return false;
    }
    if (RELEASES.contains(call)) {
      assertEquals(null, thrown, place);
      return true;
    }
    // A failure while closing is only logged: there the call waits before something is freed.
    if (thrown != null) {
      String message = thrown.getMessage();
      boolean named = message.contains(call) || thrown instanceof EngineUnavailableException;
      assertTrue(named, place + ": " + message);
      assertEquals(0, thrown.getSuppressed().length, place);
    } else {
      assertTrue(Set.of("cuStreamSynchronize", "cuCtxSetCurrent").contains(call), place);
    }
    assertEquals(Map.of(), FakeDriver.liveObjects(), place);
    assertEquals(List.of(), FakeDriver.messages(), place);
    return true;
  }
}

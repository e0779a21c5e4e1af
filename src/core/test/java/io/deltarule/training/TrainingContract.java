package io.deltarule.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.random.Philox;
import io.deltarule.training.TrainingResult.Ending;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What training must do on every engine; an engine's module runs it by extending it. */
public abstract class TrainingContract {
  private static final UpdateRule ADAM = TrainingOptions.ADAM;

  /** For subclasses. */
  protected TrainingContract() {}

  /**
   * Opens the engine to be tested.
   *
   * @param options what to ask of it
   * @return a new engine
   */
  protected abstract Engine open(EngineOptions options);

  private Engine open() {
    return open(EngineOptions.DEFAULT);
  }

  /** Points of the plane; the class is the half ring, quarter or height that they lie in. */
  static Samples plane(int rows, int inputs, Output output, long seed) {
    Philox random = new Philox(seed, Philox.Purpose.DATA, 0);
    int outputs = output == Output.SOFTMAX ? 4 : 1;
    float[] features = new float[rows * inputs];
    float[] targets = new float[rows * outputs];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < inputs; j++) {
        features[i * inputs + j] = (float) random.nextGaussian();
      }
      float x = features[i * inputs];
      float y = features[i * inputs + 1];
      switch (output) {
        case SIGMOID -> targets[i] = x * y > 0 ? 1 : 0; // not to be learned without a hidden layer
        case SOFTMAX -> targets[i * 4 + (x > 0 ? 1 : 0) + (y > 0 ? 2 : 0)] = 1;
        case LINEAR -> targets[i] = Math.abs(x) - y;
        default -> throw new AssertionError(output);
      }
    }
    return new Samples(rows, inputs, features, outputs, targets);
  }

  private static Network network(Samples samples, List<Integer> hidden, Output output) {
    return new Network(samples.inputs(), hidden, Activation.RELU, samples.outputs(), output);
  }

  private static TrainingOptions options(int epochs, int batch, UpdateRule rule, double rate) {
    return new TrainingOptions(epochs, batch, rule, rate, RateSchedule.CONSTANT, 0, 0, 7);
  }

  @ParameterizedTest
  @EnumSource
  void learnsWhatALinearModelCannot(Output output) {
    Samples training = plane(1003, 2, output, 1);
    Samples fresh = plane(500, 2, output, 2);
    Network network = network(training, List.of(32, 16), output);
    try (Engine engine = open()) {
      TrainingResult result =
          new Trainer(engine, options(40, 32, ADAM, 0.01))
              .train(Parameters.initialise(network, 1), training, Optional.empty());
      float[] logits = Inference.logits(engine, result.parameters(), fresh.features());
      Metrics metrics = Metrics.of(output, logits, fresh);
      if (output == Output.LINEAR) {
        assertTrue(metrics.r2().orElseThrow() > 0.98, metrics.toString());
      } else {
        assertTrue(metrics.accuracy().orElseThrow() > 0.94, metrics.toString());
      }
      assertEquals(40, result.epochs().size());
      assertEquals(Ending.COMPLETED, result.ending());
      assertEquals(0, engine.allocatedBytes(), "training and inference free what they allocate");
    }
  }

  @Test
  void aLoopOfOnesOwnHasTheBitsOfTheTrainer() {
    Samples samples = plane(100, 5, Output.SIGMOID, 3);
    Parameters initial = Parameters.initialise(network(samples, List.of(9), Output.SIGMOID), 1);
    int[] rows = IntStream.range(0, samples.rows()).toArray();
    new Philox(7, Philox.Purpose.SHUFFLE, 1).shuffle(rows);
    try (Engine engine = open();
        Stack stack = new Stack(engine, initial.network());
        TrainingSteps steps = new TrainingSteps(engine, stack, ADAM, 32, 4);
        ResidentBatches batches = new ResidentBatches(engine, samples, steps)) {
      stack.write(initial);
      batches.begin(rows);
      steps.begin(i -> ADAM.scalars(i + 1, 1e-2, 0));
      batches.steps(0, 1);
      assertEquals(1, steps.readLosses().length);
      batches.steps(1, steps.count());
      Parameters own = stack.read(stack.theta());
      Parameters trained =
          new Trainer(engine, options(1, 32, ADAM, 1e-2))
              .train(initial, samples, Optional.empty())
              .parameters();
      for (int l = 0; l < initial.network().layers(); l++) {
        assertArrayEquals(trained.weights()[l], own.weights()[l]);
        assertArrayEquals(trained.biases()[l], own.biases()[l]);
      }
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> new ResidentBatches(engine, plane(97 + 32, 5, Output.SIGMOID, 3), steps))
              .getMessage();
      assertEquals("129 samples make 5 batches of 32, but an epoch has 4 steps", message);
    }
  }

  /**
   * The threads of runs that must not differ.
   *
   * @return some numbers, at least two; zeros where the engine has no say in it
   */
  protected int[] threads() {
    return new int[] {1, 2, 1, 5};
  }

  @Test
  void sameSeedSameBitsWhateverTheThreads() {
    Samples samples = plane(1600, 64, Output.SIGMOID, 3);
    Network network = network(samples, List.of(256, 256, 256), Output.SIGMOID);
    List<Parameters> runs = new ArrayList<>();
    for (int threads : threads()) {
      try (Engine engine = open(EngineOptions.DEFAULT.withThreads(threads))) {
        // 50 steps of 32 rows an epoch: 100 steps
        runs.add(
            new Trainer(engine, options(2, 32, ADAM, 1e-3))
                .train(Parameters.initialise(network, 1), samples, Optional.empty())
                .parameters());
      }
    }
    for (Parameters run : runs) {
      assertSame(runs.get(0), run);
    }
    assertFalse(
        java.util.Arrays.equals(
            runs.get(0).weights()[0], Parameters.initialise(network, 1).weights()[0]),
        "it has trained");
  }

  @Test
  void everyRowIsSeenOnceAnEpoch() {
    // With a rate of nearly 0 the mean loss of an epoch is that of the initial network on all rows,
    // of which 103 = 5 * 20 + 3.
    Samples samples = plane(103, 2, Output.SIGMOID, 4);
    Network network = network(samples, List.of(8), Output.SIGMOID);
    Parameters initial = Parameters.initialise(network, 1);
    List<Integer> progress = new ArrayList<>();
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void progress(int epoch, int rows, int ofRows) {
            assertEquals(103, ofRows);
            progress.add(rows);
          }
        };
    try (Engine engine = open()) {
      TrainingResult result =
          new Trainer(engine, options(1, 20, new UpdateRule.Sgd(), 1e-30), listener, () -> false)
              .train(initial, samples, Optional.of(samples));
      double expected =
          Metrics.loss(
              Output.SIGMOID, Inference.logits(engine, initial, samples.features()), samples);
      assertEquals(expected, result.epochs().get(0).trainLoss(), 1e-6);
      assertEquals(expected, result.epochs().get(0).validationLoss(), 1e-6);
    }
    assertEquals(103, progress.get(progress.size() - 1));
  }

  @Test
  void theBestEpochIsKeptAndPatienceEnds() {
    // Few noisy rows and a large network: the validation loss turns up soon.
    Samples training = plane(40, 2, Output.SIGMOID, 5);
    Philox random = new Philox(5, Philox.Purpose.DATA, 1);
    for (int i = 0; i < 12; i++) {
      int flipped = random.nextInt(40);
      training.targets()[flipped] = 1 - training.targets()[flipped];
    }
    Samples validation = plane(200, 2, Output.SIGMOID, 6);
    Network network = network(training, List.of(64, 64), Output.SIGMOID);
    TrainingOptions options =
        new TrainingOptions(1000, 8, ADAM, 0.01, RateSchedule.CONSTANT, 0, 5, 7);
    try (Engine engine = open()) {
      TrainingResult result =
          new Trainer(engine, options)
              .train(Parameters.initialise(network, 1), training, Optional.of(validation));
      assertEquals(Ending.EARLY, result.ending());
      assertEquals(result.bestEpoch() + 5, result.epochs().size());
      double lowest =
          result.epochs().stream()
              .mapToDouble(TrainingListener.Epoch::validationLoss)
              .min()
              .orElseThrow();
      assertEquals(lowest, result.validationLoss());
      float[] logits = Inference.logits(engine, result.parameters(), validation.features());
      assertEquals(lowest, Metrics.loss(Output.SIGMOID, logits, validation), 1e-9);
    }
  }

  @ParameterizedTest
  @EnumSource
  void stopsWhenAsked(DataPlacement placement) {
    Samples samples = plane(64, 2, Output.SIGMOID, 8);
    Network network = network(samples, List.of(4), Output.SIGMOID);
    TrainingOptions options =
        new TrainingOptions(1_000_000, 64, ADAM, 0.01, RateSchedule.CONSTANT, 0, 0, 7, placement);
    AtomicInteger asked = new AtomicInteger();
    try (Engine engine = open()) {
      TrainingResult result =
          new Trainer(
                  engine, options, new TrainingListener() {}, () -> asked.incrementAndGet() > 10)
              .train(Parameters.initialise(network, 1), samples, Optional.of(samples));
      assertEquals(Ending.STOPPED, result.ending());
      assertEquals(10, result.epochs().size());
      assertEquals(0, engine.allocatedBytes());
    }
  }

  @ParameterizedTest
  @CsvSource({"1003, 32", "960, 32", "103, 20", "64, 64", "7, 4", "5, 3", "1, 1"})
  void theSameBitsWhereverTheDataLies(int rows, int batch) {
    try (Engine engine = open()) {
      assertSameFromHost(engine, rows, batch);
    }
  }

  /** Asserts that data on the host and on the engine gives the same training, to the end or not. */
  static void assertSameFromHost(Engine engine, int rows, int batch) {
    Samples training = plane(rows, 3, Output.SOFTMAX, 11);
    Samples validation = plane(1031, 3, Output.SOFTMAX, 12); // a whole batch and a rest
    Network network = network(training, List.of(17, 5), Output.SOFTMAX);
    for (int stopAt : new int[] {Integer.MAX_VALUE, 2}) {
      List<TrainingResult> results = new ArrayList<>();
      for (DataPlacement placement : List.of(DataPlacement.DEVICE, DataPlacement.HOST)) {
        TrainingOptions options =
            new TrainingOptions(3, batch, ADAM, 0.01, RateSchedule.COSINE, 0.1, 0, 7, placement);
        AtomicInteger asked = new AtomicInteger();
        TrainingResult result =
            new Trainer(
                    engine,
                    options,
                    new TrainingListener() {},
                    () -> asked.incrementAndGet() == stopAt)
                .train(Parameters.initialise(network, 1), training, Optional.of(validation));
        assertEquals(placement, result.placement());
        assertEquals(stopAt == 2 ? Ending.STOPPED : Ending.COMPLETED, result.ending());
        assertEquals(0, engine.allocatedBytes());
        results.add(result);
      }
      assertSame(results.get(0), results.get(1));
    }
  }

  /** Asserts that two trainings gave the same bits. */
  static void assertSame(TrainingResult expected, TrainingResult actual) {
    assertEquals(expected.bestEpoch(), actual.bestEpoch());
    assertEquals(expected.epochs().size(), actual.epochs().size());
    for (int i = 0; i < expected.epochs().size(); i++) {
      TrainingListener.Epoch epoch = expected.epochs().get(i);
      assertEquals(epoch.trainLoss(), actual.epochs().get(i).trainLoss());
      assertEquals(epoch.validationLoss(), actual.epochs().get(i).validationLoss());
    }
    assertSame(expected.parameters(), actual.parameters());
  }

  private static void assertSame(Parameters expected, Parameters actual) {
    for (int l = 0; l < expected.network().layers(); l++) {
      assertArrayEquals(expected.weights()[l], actual.weights()[l]);
      assertArrayEquals(expected.biases()[l], actual.biases()[l]);
    }
  }

  @Test
  void divergenceIsAnErrorUnlessABetterEpochIsKept() {
    Samples samples = plane(64, 2, Output.LINEAR, 9);
    Network network = network(samples, List.of(16, 16), Output.LINEAR);
    Parameters initial = Parameters.initialise(network, 1);
    try (Engine engine = open()) {
      Trainer wild = new Trainer(engine, options(100, 16, new UpdateRule.Sgd(), 1e6));
      TrainingException e =
          assertThrows(
              TrainingException.class, () -> wild.train(initial, samples, Optional.empty()));
      assertTrue(e.getMessage().contains("learning rate"), e.getMessage());
      assertEquals(0, engine.allocatedBytes());
    }
  }

  /** Slowly, as momentum builds up; or at once, so that an epoch of one step still looks sound. */
  @ParameterizedTest
  @CsvSource({
    "16, 0.99, 0.1, true",
    "16, 0.99, 0.1, false",
    "64, 0, 1000, true",
    "64, 0, 1000, false"
  })
  void divergenceKeepsNumbersThatWork(int batch, float momentum, double rate, boolean validates) {
    Samples samples = plane(64, 2, Output.LINEAR, 9);
    Network network =
        new Network(2, List.of(16, 16), Activation.IDENTITY, samples.outputs(), Output.LINEAR);
    TrainingOptions options = options(10_000, batch, new UpdateRule.Momentum(momentum), rate);
    try (Engine engine = open()) {
      TrainingResult result =
          new Trainer(engine, options)
              .train(
                  Parameters.initialise(network, 1),
                  samples,
                  validates ? Optional.of(samples) : Optional.empty());
      assertEquals(Ending.DIVERGED, result.ending());
      assertTrue(result.bestEpoch() < result.epochs().size());
      float[] logits = Inference.logits(engine, result.parameters(), samples.features());
      assertTrue(Double.isFinite(Metrics.loss(Output.LINEAR, logits, samples)));
      assertEquals(0, engine.allocatedBytes());
    }
  }

  @Test
  void unfitSamplesAreNamed() {
    Samples samples = plane(10, 2, Output.SIGMOID, 10);
    Network network = network(samples, List.of(4), Output.SIGMOID);
    Network other = new Network(3, List.of(), Activation.RELU, 1, Output.SIGMOID);
    try (Engine engine = open()) {
      Trainer trainer = new Trainer(engine, options(1, 11, ADAM, 0.01));
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> trainer.train(Parameters.initialise(network, 1), samples, Optional.empty()))
              .getMessage();
      assertTrue(message.contains("11") && message.contains("10"), message);
      assertThrows(
          IllegalArgumentException.class,
          () -> trainer.train(Parameters.initialise(other, 1), samples, Optional.empty()));
      assertEquals(0, engine.allocatedBytes());
    }
  }
}

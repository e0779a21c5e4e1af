package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What a recorded training step launches. */
@ExtendWith(FakeCard.class)
class PlanTest {
  private static final int BATCH = 9;
  private static final int TALL_BATCH = 520; // whose columns are added in chunks
  private static final int STEPS = 4;

  /**
   * The plans, by what leads to them.
   *
   * @param multiprocessors of the card
   */
  enum Case {
    ONE_KERNEL(Products.Rule.DEFAULT, 10),
    OWN_KERNELS(Products.Rule.DEFAULT, 1),
    CUBLAS(FakeCard.NONE_SMALL, 10);

    private final Products.Rule rule;
    private final int multiprocessors;

    Case(Products.Rule rule, int multiprocessors) {
      this.rule = rule;
      this.multiprocessors = multiprocessors;
    }

    Engine open(Precision precision) {
      FakeDriver.configure(1, 80, 12060, 1L << 32, multiprocessors);
      return FakeCard.open(precision, true, rule);
    }
  }

  @Test
  void aStepOfVerySmallLayersIsOneLaunch() {
    assertEquals(List.of(1, 0), launches(Case.ONE_KERNEL, BATCH));
  }

  @Test
  void severalOfThemAreOneLaunchToo() {
    try (Engine engine = Case.ONE_KERNEL.open(Precision.FP32);
        TrainingStep step = step(engine, BATCH, new UpdateRule.Adam(0.9f, 0.999f, 1e-8f));
        Recording recording = engine.record(step::call)) {
      int before = count("cuLaunchCooperativeKernel");
      step.run(recording, STEPS);
      assertEquals(1, count("cuLaunchCooperativeKernel") - before);
    }
  }

  @Test
  void aStepOfSmallLayersIsLaunchesOfOwnKernels() {
    // 1 gather, 3 forward, 1 error, 2 propagations, 3 gradients, 1 update, 1 cursor.
    assertEquals(List.of(0, 12), launches(Case.OWN_KERNELS, BATCH));
  }

  @Test
  void aStepOfOtherLayersIsWhatSurroundsTheProducts() {
    // 1 gather, 2 biases with activation, 2 launches of the thin layer with all its products, 1
    // error, 1 mask with sums, 1 update, 1 cursor.
    assertEquals(List.of(0, 9), launches(Case.CUBLAS, BATCH));
  }

  @Test
  void ofATallBatchColumnsAreAddedInTheSameLaunches() {
    // As above, and one for the sum of the loss, whose parts several blocks compute.
    assertEquals(List.of(0, 10), launches(Case.CUBLAS, TALL_BATCH));
  }

  static Stream<Arguments> recordings() {
    return Stream.of(Case.values())
        .flatMap(
            plan ->
                Stream.of(Precision.values())
                    .flatMap(
                        precision ->
                            Stream.of(FakeDriver.Schedule.values())
                                .flatMap(
                                    schedule ->
                                        Stream.of(BATCH, TALL_BATCH)
                                            .map(
                                                batch ->
                                                    Arguments.of(
                                                        plan, precision, schedule, batch)))));
  }

  /** Whatever runs first of what may run at the same time. */
  @ParameterizedTest
  @MethodSource("recordings")
  void aRecordedStepHasTheBitsOfItsCalls(
      Case plan, Precision precision, FakeDriver.Schedule schedule, int batch) {
    FakeDriver.schedule(schedule);
    try (Engine engine = plan.open(precision);
        TrainingStep step = step(engine, batch, new UpdateRule.Momentum(0.9f))) {
      float[] called = step.parametersAfter(step::call);
      try (Recording recording = engine.record(step::call);
          Recording withScratch = engine.record(step::call, step.scratch())) {
        assertArrayEquals(called, step.parametersAfter(recording::run));
        assertArrayEquals(called, step.parametersAfter(withScratch::run));
        assertArrayEquals(called, step.parametersAfter(recording, STEPS));
      }
    }
  }

  /**
   * In bf16, where products read copies; but what computes the output's error writes floats alone.
   */
  @ParameterizedTest
  @CsvSource({"FP32,9", "TF32,9", "BF16,9", "TF32,520", "BF16,520"})
  void floatsOfScratchThatNobodyReadsAreNotWritten(Precision precision, int batch) {
    try (Engine engine = Case.CUBLAS.open(precision);
        TrainingStep step = step(engine, batch, new UpdateRule.Sgd());
        Recording all = engine.record(step::call);
        Recording withScratch = engine.record(step::call, step.scratch())) {
      step.parametersAfter(withScratch::run);
      List<float[]> left = step.scratchNumbers();
      step.parametersAfter(all::run);
      List<float[]> computed = step.scratchNumbers();
      for (int i = 0; i < left.size(); i++) {
        String name = step.scratch().get(i).toString();
        boolean written = precision != Precision.BF16 || name.startsWith("error signal of layer 2");
        assertEquals(written, Arrays.equals(left.get(i), computed.get(i)), name);
      }
    }
  }

  /** Whose copy is another than that of activations. */
  @Test
  void scratchMayServeAsWeights() {
    try (Engine engine = Case.CUBLAS.open(Precision.BF16)) {
      Matrix x = filled(engine, 24, 20);
      Matrix w = filled(engine, 24, 20);
      Matrix above = filled(engine, 16, 24);
      Matrix y = filled(engine, 9, 24);
      Matrix b = filled(engine, 1, 24);
      Matrix a = engine.allocate("a", 24, 24);
      Matrix aboveA = engine.allocate("above a", 24, 16);
      Matrix result = engine.allocate("result", 9, 24);
      Runnable calls =
          () -> {
            engine.forward(x, w, b, Activation.RELU, a, a);
            engine.forward(a, above, b.slice(0, 1, 16), Activation.RELU, aboveA, aboveA);
            engine.forward(y, a, b, Activation.IDENTITY, result, result);
          };
      calls.run();
      float[] called = read(engine, result);
      engine.write(a, new float[24 * 24]);
      engine.write(result, new float[9 * 24]);
      try (Recording recording = engine.record(calls, List.of(a, aboveA))) {
        recording.run();
      }
      assertArrayEquals(called, read(engine, result));
    }
  }

  private static Matrix filled(Engine engine, int rows, int columns) {
    Matrix matrix = engine.allocate("random", rows, columns);
    Random random = new Random(rows + columns);
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    engine.write(matrix, values);
    return matrix;
  }

  private static float[] read(Engine engine, Matrix matrix) {
    float[] values = new float[(int) matrix.size()];
    engine.read(matrix, values);
    return values;
  }

  /** The cooperative and the other launches of a step as the trainer records it. */
  private static List<Integer> launches(Case plan, int batch) {
    try (Engine engine = plan.open(Precision.FP32);
        TrainingStep step = step(engine, batch, new UpdateRule.Sgd())) {
      int cooperative = count("cuLaunchCooperativeKernel");
      int single = count("cuLaunchKernel");
      int graphs = count("cuGraphInstantiate");
      try (Recording recording = engine.record(step::call)) {
        if (count("cuGraphInstantiate") == graphs) {
          step.run(recording, 1); // nothing has been captured
        }
      }
      return List.of(
          count("cuLaunchCooperativeKernel") - cooperative, count("cuLaunchKernel") - single);
    }
  }

  /** The widths leave gaps among the parameters, and one layer is too wide for a thin one. */
  private static TrainingStep step(Engine engine, int batch, UpdateRule rule) {
    Network network = new Network(3, List.of(20, 18), Activation.RELU, 1, Output.SIGMOID);
    return new TrainingStep(engine, network, batch, STEPS, rule);
  }

  private static int count(String call) {
    return FakeDriver.callCounts().getOrDefault(call, 0);
  }
}

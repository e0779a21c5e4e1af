package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineException;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
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
   * @param capability of the card
   * @param multiprocessors that it has
   */
  enum Case {
    ONE_BLOCK(Products.Rule.DEFAULT, 80, 1),
    ONE_KERNEL(Products.Rule.DEFAULT, 75, 10),
    OWN_KERNELS(Products.Rule.DEFAULT, 75, 1),
    CUBLAS(FakeCard.NONE_SMALL, 80, 10);

    private final Products.Rule rule;
    private final int capability;
    private final int multiprocessors;

    Case(Products.Rule rule, int capability, int multiprocessors) {
      this.rule = rule;
      this.capability = capability;
      this.multiprocessors = multiprocessors;
    }

    Engine open(Precision precision) {
      FakeDriver.configure(1, capability, 12060, 1L << 32, multiprocessors);
      return FakeCard.open(precision, true, rule);
    }
  }

  @Test
  void aStepOfVerySmallLayersIsOneLaunch() {
    assertEquals(List.of(1, 0), launches(Case.ONE_KERNEL, BATCH));
    assertEquals(List.of(0, 1), launches(Case.ONE_BLOCK, BATCH));
  }

  @Test
  void theirOrderMayBeAnother() {
    try (Engine engine = Case.ONE_KERNEL.open(Precision.FP32);
        TrainingStep step = step(engine, BATCH, new UpdateRule.Sgd())) {
      float[] called = step.parametersAfter(step::call);
      try (Recording recording = engine.record(step::callInAnotherOrder)) {
        int before = count("cuLaunchCooperativeKernel");
        assertArrayEquals(called, step.parametersAfter(recording, STEPS));
        assertEquals(1, count("cuLaunchCooperativeKernel") - before);
      }
    }
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
    // 1 gather, 2 biases with activation, 2 launches of the layer of one unit, 1 error, 1 mask with
    // sums, 1 update, 1 cursor.
    assertEquals(List.of(0, 9), launches(Case.CUBLAS, BATCH));
  }

  @Test
  void ofATallBatchColumnsAreAddedInTheSameLaunches() {
    // As above, and one for the sum of the loss, whose parts several blocks compute.
    assertEquals(List.of(0, 10), launches(Case.CUBLAS, TALL_BATCH));
  }

  @Test
  void inBf16WeightsAreRoundedByTheUpdate() {
    // The 9, and 2 for products that are cropped.
    assertEquals(List.of(0, 11), launches(Case.CUBLAS, BATCH, Precision.BF16));
  }

  @Test
  void copiesOfWeightsAreMadeBeforeTheFirstReplayAndWhereTheyAreStale() {
    try (Engine engine = Case.CUBLAS.open(Precision.BF16);
        TrainingStep step = step(engine, BATCH, new UpdateRule.Sgd());
        Recording recording = engine.record(step::call)) {
      assertEquals(2, launchesDuring(() -> step.run(recording, STEPS)));
      assertEquals(0, launchesDuring(() -> step.run(recording::run)));
      try (Recording other = engine.record(step::call)) { // which has the same copies
        assertEquals(0, launchesDuring(() -> step.run(other, STEPS)));
        assertEquals(0, launchesDuring(() -> step.run(recording::run)));
      }
      assertEquals(0, launchesDuring(() -> step.run(recording::run)));
      engine.write(step.theta().slice(0, 1, 1), new float[1]);
      assertEquals(2, launchesDuring(() -> step.run(recording::run)));
      assertEquals(0, launchesDuring(() -> step.run(recording, STEPS)));
    }
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

  static Stream<Arguments> otherStacks() {
    return Stream.of(
            new Network(3, List.of(20, 17), Activation.TANH, 1, Output.SIGMOID),
            new Network(3, List.of(20, 18), Activation.GELU, 1, Output.LINEAR),
            new Network(3, List.of(20, 1, 18), Activation.LEAKY_RELU, 1, Output.SIGMOID),
            new Network(3, List.of(20, 1), Activation.RELU, 3, Output.SOFTMAX))
        .flatMap(
            network ->
                Stream.of(Precision.values())
                    .flatMap(
                        precision ->
                            Stream.of(BATCH, TALL_BATCH)
                                .map(batch -> Arguments.of(network, precision, batch))));
  }

  /** With layers of one unit elsewhere, of odd widths, and with other activations. */
  @ParameterizedTest
  @MethodSource("otherStacks")
  void soDoStepsOfOtherStacks(Network network, Precision precision, int batch) {
    try (Engine engine = Case.CUBLAS.open(precision);
        TrainingStep step =
            new TrainingStep(engine, network, batch, STEPS, new UpdateRule.Momentum(0.9f))) {
      float[] called = step.parametersAfter(step::call);
      try (Recording recording = engine.record(step::call);
          Recording withScratch = engine.record(step::call, step.scratch())) {
        assertArrayEquals(called, step.parametersAfter(recording::run));
        assertArrayEquals(called, step.parametersAfter(withScratch::run));
      }
    }
  }

  /** Calls that could share a launch, but for what is called between them, or overlaps. */
  enum Apart {
    GATHERED_TOGETHER(1) {
      @Override
      void call(Parts p) {
        p.engine.gather(p.data, p.rows, p.at, p.saved);
        p.engine.gather(p.other, p.rows, p.at, p.e);
      }
    },
    GATHERED_FROM_THE_BATCH(2) {
      @Override
      void call(Parts p) {
        p.engine.gather(p.data, p.rows, p.at, p.saved);
        p.engine.gather(p.saved, p.rows, p.at, p.e);
      }
    },
    GATHERED_INTO_THE_DATA(2) {
      @Override
      void call(Parts p) {
        p.engine.gather(p.data, p.rows, p.at, p.saved);
        p.engine.gather(p.other, p.rows, p.at, p.data);
      }
    },
    GATHERED_INTO_THE_SAME(2) {
      @Override
      void call(Parts p) {
        p.engine.gather(p.data, p.rows, p.at, p.saved);
        p.engine.gather(p.other, p.rows, p.at, p.saved);
      }
    },
    BACKWARD_TOGETHER(1) {
      @Override
      void call(Parts p) {
        p.propagate();
        p.gradients();
      }
    },
    ANOTHER_ERROR_BETWEEN(2) {
      @Override
      void call(Parts p) {
        p.propagate();
        p.engine.copy(p.column, p.d);
        p.gradients();
      }
    },
    OTHER_INPUTS_BETWEEN(2) {
      @Override
      void call(Parts p) {
        p.propagate();
        p.engine.copy(p.other, p.saved);
        p.gradients();
      }
    },
    GRADIENT_READ_BETWEEN(2) {
      @Override
      void call(Parts p) {
        p.propagate();
        p.engine.copy(p.dw, p.row);
        p.gradients();
      }
    },
    SUM_WRITTEN_BETWEEN(2) {
      @Override
      void call(Parts p) {
        p.propagate();
        p.engine.copy(p.row.slice(3, 1, 1), p.db);
        p.gradients();
      }
    };

    private final int launches;

    Apart(int launches) {
      this.launches = launches;
    }

    abstract void call(Parts parts);
  }

  /** A layer of one unit with 20 inputs, and matrices of the same shapes. */
  private static final class Parts {
    private final Engine engine;
    private final Matrix data;
    private final Matrix other;
    private final Matrix saved;
    private final Matrix e;
    private final Matrix d;
    private final Matrix column;
    private final Matrix w;
    private final Matrix row;
    private final Matrix dw;
    private final Matrix db;
    private final Indices rows;
    private final Cursor at;

    Parts(Engine engine) {
      this.engine = engine;
      data = filled(BATCH, 20, 1);
      other = filled(BATCH, 20, 2);
      saved = filled(BATCH, 20, 3);
      e = filled(BATCH, 20, 4);
      d = filled(BATCH, 1, 5);
      column = filled(BATCH, 1, 6);
      w = filled(1, 20, 7);
      row = filled(1, 20, 8);
      dw = filled(1, 20, 9);
      db = filled(1, 1, 10);
      rows = engine.allocateIndices("rows", 1, BATCH, BATCH);
      at = engine.allocateCursor("at");
      engine.write(rows, new int[] {3, 1, 4, 1, 5, 2, 6, 5, 3});
    }

    private Matrix filled(int height, int width, int seed) {
      Matrix matrix = engine.allocate("part " + seed, height, width);
      Random random = new Random(seed);
      float[] values = new float[height * width];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      engine.write(matrix, values);
      return matrix;
    }

    void propagate() {
      engine.propagate(d, w, Activation.RELU, saved, e);
    }

    void gradients() {
      engine.gradients(d, saved, dw, db);
    }

    List<String> numbers() {
      return Stream.of(data, saved, e, d, row, dw, db)
          .map(matrix -> Arrays.toString(read(engine, matrix)))
          .toList();
    }
  }

  @ParameterizedTest
  @EnumSource(Apart.class)
  void whatDependsOnAnotherCallHasALaunchOfItsOwn(Apart calls) {
    try (Engine engine = Case.CUBLAS.open(Precision.FP32)) {
      Parts called = new Parts(engine);
      calls.call(called);
      Parts replayed = new Parts(engine);
      int before = count("cuLaunchKernel");
      try (Recording recording = engine.record(() -> calls.call(replayed))) {
        assertEquals(calls.launches, count("cuLaunchKernel") - before);
        recording.run();
      }
      assertEquals(called.numbers(), replayed.numbers());
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

  /** What changes the weights beside the replays of a recording. */
  enum Change {
    WRITE {
      @Override
      void make(Engine engine, TrainingStep step, Recording other) {
        float[] values = new float[70];
        Arrays.fill(values, 0.1f);
        engine.write(step.theta().slice(33, 7, 10), values);
      }
    },
    COPY {
      @Override
      void make(Engine engine, TrainingStep step, Recording other) {
        Matrix theta = step.theta();
        engine.copy(theta.slice(96, 1, 200), theta.slice(301, 1, 200));
      }
    },
    UPDATE {
      @Override
      void make(Engine engine, TrainingStep step, Recording other) {
        step.call();
      }
    },
    REPLAY {
      @Override
      void make(Engine engine, TrainingStep step, Recording other) {
        if (other == null) {
          step.call();
        } else {
          other.run();
        }
      }
    };

    /** Makes it; without the other recording by its calls. */
    abstract void make(Engine engine, TrainingStep step, Recording other);
  }

  @ParameterizedTest
  @EnumSource(Change.class)
  void aReplayTakesTheWeightsAsTheyAre(Change change) {
    try (Engine engine = Case.CUBLAS.open(Precision.BF16);
        TrainingStep step = step(engine, BATCH, new UpdateRule.Adam(0.9f, 0.999f, 1e-8f));
        Recording recording = engine.record(step::call, step.scratch());
        Recording other = engine.record(step::call)) {
      float[] called =
          step.parametersAfter(inTurn(step::call, () -> change.make(engine, step, null)));
      float[] replayed =
          step.parametersAfter(inTurn(recording::run, () -> change.make(engine, step, other)));
      assertArrayEquals(called, replayed);
    }
  }

  /** At each call one of them: first the second, last the first. */
  private static Runnable inTurn(Runnable first, Runnable second) {
    boolean[] isSecond = new boolean[1];
    return () -> {
      isSecond[0] = !isSecond[0];
      (isSecond[0] ? second : first).run();
    };
  }

  @Test
  void severalReplaysAtOnceAndCallsInBetween() {
    try (Engine engine = Case.CUBLAS.open(Precision.BF16);
        TrainingStep step = step(engine, BATCH, new UpdateRule.Momentum(0.9f))) {
      float[] called = step.parametersAfter(step::call);
      try (Recording recording = engine.record(step::call)) {
        Runnable calls = inTurn(() -> recording.run(1), step::call);
        assertArrayEquals(called, step.parametersAfter(calls));
        try (Recording closedSoon = engine.record(step::call)) {
          assertArrayEquals(called, step.parametersAfter(inTurn(closedSoon::run, recording::run)));
        }
        assertArrayEquals(called, step.parametersAfter(recording, STEPS));
      }
    }
  }

  @Test
  void aCopyThatCouldNotBeMadeIsMadeForTheNextReplay() {
    try (Engine engine = Case.CUBLAS.open(Precision.BF16);
        TrainingStep step = step(engine, BATCH, new UpdateRule.Sgd())) {
      float[] called = step.parametersAfter(step::call);
      try (Recording recording = engine.record(step::call)) {
        float[] replayed =
            step.parametersAfter(
                () -> {
                  engine.write(step.theta(), read(engine, step.theta()));
                  FakeDriver.failNext("cuLaunchKernel", 2, 999);
                  assertThrows(EngineException.class, recording::run);
                  recording.run();
                });
        assertArrayEquals(called, replayed);
      }
    }
  }

  /** Recordings whose copies of weights an update does not simply bring up to date. */
  enum Unusual {
    UPDATED_BETWEEN_READS {
      @Override
      void call(Weights weights) {
        weights.multiply(5, 19, 5, 0);
        weights.update(0, 600);
        weights.multiply(5, 19, 5, 1);
      }
    },
    UPDATED_TWICE {
      @Override
      void call(Weights weights) {
        weights.multiply(121, 19, 5, 0);
        weights.update(0, 600);
        weights.multiply(5, 19, 5, 1);
        weights.update(104, 300);
      }
    },
    PARTLY_UPDATED {
      @Override
      void call(Weights weights) {
        weights.multiply(5, 19, 5, 0);
        weights.multiply(121, 19, 5, 1);
        weights.update(0, 130);
      }
    },
    NEVER_UPDATED {
      @Override
      void call(Weights weights) {
        weights.multiply(5, 19, 5, 0);
        weights.multiply(50, 19, 5, 1);
        weights.update(149, 100);
      }
    },
    OVERLAPPING {
      @Override
      void call(Weights weights) {
        weights.multiply(5, 19, 5, 0);
        weights.multiply(50, 19, 5, 1);
        weights.update(0, 600);
      }
    },
    OF_TWO_SHAPES {
      @Override
      void call(Weights weights) {
        weights.multiply(5, 19, 5, 0);
        weights.multiply(5, 18, 5, 1);
        weights.update(1, 599);
      }
    },
    ALSO_COPIED_INTO {
      @Override
      void call(Weights weights) {
        weights.multiply(5, 19, 5, 0);
        weights.multiply(121, 19, 5, 1);
        weights.update(0, 600);
        weights.engine.copy(weights.theta.slice(400, 1, 3), weights.theta.slice(30, 1, 3));
      }
    },
    MORE_THAN_A_TABLE_HOLDS {
      @Override
      void call(Weights weights) {
        for (int i = 0; i < 40; i++) {
          weights.multiply(18 * (39 - i), 17, 1, i);
        }
        weights.update(0, 720);
      }
    };

    /** Makes the calls. */
    abstract void call(Weights weights);
  }

  /** Parameters with products and updates of any parts of them. */
  private static final class Weights {
    private final Engine engine;
    private final Matrix theta;
    private final Matrix gradient;
    private final Matrix x;
    private final Matrix b;
    private final Matrix products;
    private final Matrix state;
    private final Matrix schedule;
    private final Cursor cursor;

    Weights(Engine engine) {
      this.engine = engine;
      theta = filled(engine, 1, 720);
      gradient = filled(engine, 1, 721).slice(1, 1, 720);
      x = filled(engine, 10, 5);
      b = filled(engine, 1, 19);
      products = engine.allocate("products", 40, 190);
      state = engine.allocate("state", 0, 720);
      schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
      cursor = engine.allocateCursor("step");
      engine.write(schedule, new float[] {0.3f, 0.01f, 0, 0});
    }

    /** The product with the matrix [units x inputs] that begins there. */
    void multiply(int first, int units, int inputs, int result) {
      Matrix a = products.slice(190L * result, 10, units);
      Matrix w = theta.slice(first, units, inputs);
      engine.forward(x.slice(0, 10, inputs), w, b.slice(0, 1, units), Activation.IDENTITY, a, a);
    }

    void update(int first, int size) {
      Matrix part = theta.slice(first, 1, size);
      Matrix none = state.slice(0, 0, size);
      engine.update(
          new UpdateRule.Sgd(), part, gradient.slice(first, 1, size), none, schedule, cursor);
    }
  }

  @ParameterizedTest
  @EnumSource(Unusual.class)
  void unusualRecordingsHaveTheBitsOfTheirCalls(Unusual unusual) {
    try (Engine engine = Case.CUBLAS.open(Precision.BF16)) {
      Weights weights = new Weights(engine);
      float[] start = read(engine, weights.theta);
      List<String> called = new ArrayList<>();
      List<String> replayed = new ArrayList<>();
      for (int i = 0; i < STEPS; i++) {
        unusual.call(weights);
        called.add(Arrays.toString(read(engine, weights.products)));
      }
      engine.write(weights.theta, start);
      try (Recording recording = engine.record(() -> unusual.call(weights))) {
        for (int i = 0; i < STEPS; i++) {
          recording.run();
          replayed.add(Arrays.toString(read(engine, weights.products)));
        }
      }
      assertEquals(called, replayed);
    }
  }

  @Test
  void aCopyServesBeforeAndAfterTheUpdateThatWritesIt() {
    try (Engine engine = Case.CUBLAS.open(Precision.BF16)) {
      Weights weights = new Weights(engine);
      // The copy of x, 2 biases, 1 update.
      assertEquals(
          4,
          launchesDuring(
              () -> engine.record(() -> Unusual.UPDATED_BETWEEN_READS.call(weights)).close()));
    }
  }

  /** And the step of the other recording is one kernel. */
  @Test
  void aRecordingThatOnlyReadsTakesTheWeightsAsTheyAre() {
    FakeDriver.configure(1, 80, 12060, 1L << 32, 10);
    try (Engine engine = FakeCard.open(Precision.BF16, true, new Products.Rule(20_000, 800));
        TrainingStep step = step(engine, BATCH, new UpdateRule.Sgd())) {
      Matrix x = filled(engine, 600, 3);
      Matrix b = filled(engine, 1, 20);
      Matrix a = engine.allocate("a", 600, 20);
      Runnable forward =
          () -> engine.forward(x, step.theta().slice(0, 20, 3), b, Activation.IDENTITY, a, a);
      try (Recording training = engine.record(step::call);
          Recording reading = engine.record(forward)) {
        reading.run();
        assertEquals(1, launchesDuring(() -> step.run(training, STEPS)));
        reading.run();
        float[] replayed = read(engine, a);
        forward.run();
        assertArrayEquals(read(engine, a), replayed);
        assertEquals(0, launchesDuring(reading::run));
      }
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
    return launches(plan, batch, Precision.FP32);
  }

  private static List<Integer> launches(Case plan, int batch, Precision precision) {
    try (Engine engine = plan.open(precision);
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

  /** The widths leave gaps among the parameters. */
  private static TrainingStep step(Engine engine, int batch, UpdateRule rule) {
    Network network = new Network(3, List.of(20, 18), Activation.RELU, 1, Output.SIGMOID);
    return new TrainingStep(engine, network, batch, STEPS, rule);
  }

  private static int launchesDuring(Runnable calls) {
    int before = count("cuLaunchKernel");
    calls.run();
    return count("cuLaunchKernel") - before;
  }

  private static int count(String call) {
    return FakeDriver.callCounts().getOrDefault(call, 0);
  }
}

package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Arena.Placement;
import io.deltarule.engine.Cases.Operation;
import io.deltarule.engine.Cases.Pointers;
import io.deltarule.engine.Cases.Shape;
import io.deltarule.engine.Cases.Spec;
import io.deltarule.engine.Cases.Update;
import io.deltarule.engine.Trainee.Task;
import io.deltarule.engine.UpdateRule.Adam;
import io.deltarule.engine.UpdateRule.Momentum;
import io.deltarule.engine.UpdateRule.Sgd;
import io.deltarule.network.Network;
import io.deltarule.reference.Reference;
import io.deltarule.reference.ReferenceNetwork;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every engine must do: each engine's module extends this class and supplies the engine. All
 * arithmetic is measured against {@link Reference} on the very same 32-bit operands, with the
 * tolerances of {@link Tolerance}.
 *
 * <p>Random data depend on the system property {@code deltarule.test.seed} and are repeatable;
 * every failure names the seed.
 */
public abstract class EngineContract {
  private static final int LARGE = 1 << 17; // products, beyond which two placements must do
  private static final int FIRST_STEPS = 10;
  private static final float[] NOT_FINITE = {
    Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY
  };

  private Engine engine;

  /** For subclasses. */
  protected EngineContract() {}

  /**
   * Opens the engine under test.
   *
   * @param options what to ask of it
   * @return a new engine
   */
  protected abstract Engine open(EngineOptions options);

  /**
   * The options of all tests but those of determinism: fp32 unless overridden.
   *
   * @return the options
   */
  protected EngineOptions options() {
    return EngineOptions.DEFAULT;
  }

  /**
   * The numbers of threads that must all give the same bits. An engine that refuses them has one.
   *
   * @return several, at least one
   */
  protected int[] threads() {
    return new int[] {1, 2, 5};
  }

  @BeforeEach
  void openEngine() {
    engine = open(options());
  }

  @AfterEach
  void closeEngine() {
    engine.close();
  }

  // The equations, on all shapes.

  @ParameterizedTest
  @EnumSource(Placement.class)
  void copy(Placement placement) {
    for (int size : new int[] {0, 1, 7, 128, 4099}) {
      float[] values = new Matrices("copy", size).gaussian(size, 1);
      for (int i = 0; i < Math.min(size, NOT_FINITE.length); i++) {
        values[i] = NOT_FINITE[i];
      }
      try (Arena arena = new Arena(engine, placement)) {
        Matrix from = arena.input("from", values, 1, size);
        Matrix to = arena.result("to", 1, size);
        engine.copy(from, to);
        Matrices.assertSame("copy", values, arena.read(to));
        arena.assertGuards("copy");
      }
    }
  }

  @Test
  void writesAndReads() {
    float[] values = new Matrices("write").gaussian(37 * 3, 1);
    values[5] = Float.NaN;
    values[7] = -0f;
    values[8] = Float.MIN_VALUE;
    float[] sent = values.clone();
    Matrix matrix = engine.allocate("matrix", 37, 3);
    Matrices.assertSame("zeros at first", new float[37 * 3], read(matrix));
    engine.write(matrix, sent);
    Arrays.fill(sent, 99); // free for reuse on return
    Matrices.assertSame("as written", values, read(matrix));
    Matrix slice = matrix.slice(4, 2, 5);
    assertEquals("2 x 5, 10", slice.rows() + " x " + slice.columns() + ", " + slice.size());
    Matrices.assertSame("slice", Arrays.copyOfRange(values, 4, 14), read(slice));
    Matrices.assertSame(
        "slice of it", Arrays.copyOfRange(values, 7, 9), read(slice.slice(3, 1, 2)));
    engine.write(slice, new float[10]);
    Arrays.fill(values, 4, 14, 0);
    Matrices.assertSame("through the slice", values, read(matrix));
    engine.write(engine.allocate("empty", 0, 3), new float[0]);
    engine.read(matrix.slice(111, 0, 3), new float[0]);
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#shapes")
  void gather(Shape shape) {
    int n = shape.n();
    int samples = shape.k();
    int m = shape.m();
    Matrices random = new Matrices("gather", shape);
    float[] values = random.matrix(samples, n);
    values[values.length / 2] = Float.NaN;
    int[] rows = random.rows(3 * (m + 1), samples);
    rows[m] = samples - 1;
    try (Indices lists = engine.allocateIndices("rows", 3, m + 1, samples);
        Cursor at = engine.allocateCursor("at")) {
      engine.write(lists, rows);
      engine.set(at, 1);
      for (Placement placement : Placement.values()) {
        for (int some : new int[] {m, m + 1}) {
          try (Arena arena = new Arena(engine, placement)) {
            Matrix data = arena.input("data", values, samples, n);
            Matrix batch = arena.result("batch", some, n);
            engine.gather(data, lists, at, batch);
            int[] list = Arrays.copyOfRange(rows, m + 1, 2 * (m + 1));
            double[][] expected = Reference.gather(Matrices.rows(values, samples, n), list, some);
            Matrices.assertClose("batch", Tolerance.EXACT, expected, arena.read(batch));
            arena.assertGuards("gather");
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#shapes")
  void forward(Shape shape) {
    Matrices random = new Matrices("forward", shape);
    float[] x = random.matrix(shape.m(), shape.k());
    float[] w = random.matrix(shape.n(), shape.k());
    float[] b = random.matrix(1, shape.n());
    for (Placement placement : placements(shape)) {
      for (Activation f : Activation.values()) {
        forward(placement, shape, f, x, w, b);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#outputs")
  void outputError(Shape shape) {
    Matrices random = new Matrices("outputError", shape);
    float[] z = random.gaussian(shape.m() * shape.n(), 3);
    for (Output output : Output.values()) {
      float[] y = random.targets(output, shape.m(), shape.n());
      for (Placement placement : Placement.values()) {
        outputError(placement, shape, output, z, y, true);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#shapes")
  void propagate(Shape shape) {
    Matrices random = new Matrices("propagate", shape);
    float[] d = random.matrix(shape.m(), shape.n());
    float[] w = random.matrix(shape.n(), shape.k());
    for (Placement placement : placements(shape)) {
      for (Activation f : Activation.values()) {
        propagate(placement, shape, f, d, w, saved(random, f, shape.m() * shape.k()));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#shapes")
  void gradients(Shape shape) {
    Matrices random = new Matrices("gradients", shape);
    float[] d = random.matrix(shape.m(), shape.n());
    float[] a = random.matrix(shape.m(), shape.k());
    for (Placement placement : placements(shape)) {
      gradients(placement, shape, d, a);
    }
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#updates")
  void update(Update update) {
    UpdateRule rule = update.rule();
    int p = update.parameters();
    Matrices random = new Matrices("update", update);
    float[] theta = random.matrix(1, p);
    float[][] gradients = new float[5][];
    float[] schedule = new float[gradients.length * UpdateRule.SCALARS];
    for (int s = 0; s < gradients.length; s++) {
      gradients[s] = random.matrix(1, p);
      float[] row = rule.scalars(s + 1, 0.1 / (s + 1), 0.3 * s);
      System.arraycopy(row, 0, schedule, s * row.length, row.length);
    }
    for (Placement placement : Placement.values()) {
      update(placement, rule, theta, new float[rule.stateRows() * p], gradients, schedule);
    }
  }

  // The equations, on difficult numbers.

  @ParameterizedTest
  @EnumSource(Activation.class)
  void tinyNumbers(Activation f) {
    for (Shape shape : List.of(new Shape(3, 5, 2), new Shape(17, 33, 9))) {
      Matrices random = new Matrices("tiny", f, shape);
      for (double size : new double[] {1e-30, 1e-37, 1e-41, 1e-45}) {
        float[] x = random.gaussian(shape.m() * shape.k(), size);
        float[] w = random.matrix(shape.n(), shape.k());
        float[] d = random.gaussian(shape.m() * shape.n(), size);
        forward(Placement.OWN, shape, f, x, w, random.gaussian(shape.n(), size));
        propagate(Placement.OWN, shape, f, d, w, saved(random, f, x.length));
        gradients(Placement.OWN, shape, d, random.gaussian(x.length, 1));
        gradients(Placement.OWN, shape, d, x);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void hugeNumbers(Activation f) {
    for (Shape shape : List.of(new Shape(3, 5, 2), new Shape(17, 33, 9))) {
      Matrices random = new Matrices("huge", f, shape);
      for (double size : new double[] {1e2, 1e4, 1e15, 1e17}) {
        float[] x = random.gaussian(shape.m() * shape.k(), size);
        float[] w = random.gaussian(shape.n() * shape.k(), size);
        float[] d = random.gaussian(shape.m() * shape.n(), size);
        forward(Placement.OWN, shape, f, x, w, random.gaussian(shape.n(), size));
        float[] saved = f.savesInput() ? x : saved(random, f, x.length);
        propagate(Placement.OWN, shape, f, d, w, saved);
        gradients(Placement.OWN, shape, d, x);
      }
    }
  }

  /** Z from one sample with one input: every pre-activation is met exactly. */
  @ParameterizedTest
  @EnumSource(Activation.class)
  void extremePreActivations(Activation f) {
    float[] z = {
      0, -0f, 1e-45f, -1e-45f, 1e-38f, -1e-38f, 1e-20f, -1e-20f, 1e-3f, -1e-3f, 0.5f, -0.5f, 1, -1,
      5, -5, 9, -9, 20, -20, 88, -88, 89, -89, 104, -104, 1e4f, -1e4f, 1e13f, -1e13f, 1e20f, -1e20f,
      3e38f, -3e38f
    };
    float[] ones = new float[z.length];
    Arrays.fill(ones, 1);
    forward(Placement.OWN, new Shape(1, 1, z.length), f, new float[] {1}, z, new float[z.length]);
    float[] saved = z.clone();
    if (!f.savesInput()) {
      for (int i = 0; i < z.length; i++) {
        saved[i] = (float) f.apply(z[i]);
      }
    }
    propagate(Placement.OWN, new Shape(z.length, 1, 1), f, ones, new float[] {1}, saved);
  }

  @Test
  void hugeLogits() {
    float[] extremes = {1e4f, -1e4f, 3e38f, -3e38f, 100, -100, 0, 1};
    for (float y : new float[] {0, 1}) {
      float[] targets = new float[extremes.length];
      Arrays.fill(targets, y);
      outputError(
          Placement.OWN, new Shape(extremes.length, 0, 1), Output.SIGMOID, extremes, targets, true);
      float[] wrong = new float[7]; // whose sum is beyond the range of a float, their mean is not
      Arrays.fill(wrong, y == 0 ? 3e38f : -3e38f);
      float[] same = Arrays.copyOf(targets, wrong.length);
      outputError(Placement.OWN, new Shape(7, 0, 1), Output.SIGMOID, wrong, same, true);
      for (float z : extremes) { // alone, so that no larger one widens the tolerance
        float[] one = {z};
        outputError(Placement.OWN, new Shape(1, 0, 1), Output.SIGMOID, one, new float[] {y}, true);
      }
    }
    for (float[] z :
        new float[][] {
          {1e4f, -1e4f, 0},
          {-1e4f, 1e4f, 9999.5f},
          {-1e4f, -1e4f, -1e4f},
          {3e38f, 1, 2},
          {-3e38f, 0, 1e38f},
          {1.5e38f, -1.5e38f, 0},
          {3e38f, 3e38f, 3e38f},
          {-3e38f, -3e38f, -3e38f}
        }) {
      for (int hot = 0; hot < z.length; hot++) {
        float[] y = new float[z.length];
        y[hot] = 1;
        outputError(Placement.OWN, new Shape(1, 0, 3), Output.SOFTMAX, z, y, true);
      }
    }
    // The difference itself is beyond the range of a float, but its target is 0.
    outputError(
        Placement.OWN,
        new Shape(1, 0, 3),
        Output.SOFTMAX,
        new float[] {3e38f, -3e38f, 0},
        new float[] {1, 0, 0},
        true);
    for (float z : new float[] {1e4f, -1e4f, 1e18f, -1e18f, 3e38f, -3e38f}) {
      for (float y : new float[] {0, 1, -1e4f, z, -z}) {
        outputError(
            Placement.OWN,
            new Shape(1, 0, 1),
            Output.LINEAR,
            new float[] {z},
            new float[] {y},
            true);
      }
    }
    // The differences are beyond the range of a float, the errors are not.
    outputError(
        Placement.OWN,
        new Shape(3, 0, 1),
        Output.LINEAR,
        new float[] {3e38f, -3e38f, 1},
        new float[] {-3e38f, 1e38f, 2},
        true);
  }

  @Test
  void tinyLogits() {
    Matrices random = new Matrices("tiny logits");
    for (Output output : Output.values()) {
      for (double size : new double[] {1e-30, 1e-41}) {
        float[] z = random.gaussian(7 * 3, size);
        float[] y = random.targets(output, 7, 3);
        outputError(Placement.OWN, new Shape(7, 0, 3), output, z, y, true);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#someUpdates")
  void updateOfDifficultNumbers(Update update) {
    UpdateRule rule = update.rule();
    int p = update.parameters();
    Matrices random = new Matrices("difficult", update);
    float[] schedule = rule.scalars(3, 0.1, 0.1);
    for (double size : new double[] {1e-41, 1e-18, 1e15}) {
      float[][] gradient = {random.gaussian(p, size)};
      float[] theta = random.matrix(1, p);
      update(Placement.OWN, rule, theta, new float[rule.stateRows() * p], gradient, schedule);
    }
    for (float value : NOT_FINITE) {
      float[][] operands = {
        random.matrix(1, p),
        random.matrix(1, p),
        squares(random.matrix(rule.stateRows(), p)),
        schedule.clone()
      };
      for (int i = 0; i < operands.length; i++) {
        if (operands[i].length > 0) {
          float[][] bad = operands.clone();
          bad[i] = operands[i].clone();
          bad[i][bad[i].length / 3] = value; // of the schedule: the shrinkage
          float[][] gradient = {bad[1]};
          update(Placement.OWN, rule, bad[0], bad[2], gradient, bad[3]);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void notFiniteNumbersSpread(Activation f) {
    for (Shape shape : List.of(new Shape(2, 3, 2), new Shape(17, 33, 9), new Shape(9, 65, 33))) {
      Matrices random = new Matrices("not finite", f, shape);
      float[] x = random.matrix(shape.m(), shape.k());
      float[] w = random.matrix(shape.n(), shape.k());
      float[] b = random.matrix(1, shape.n());
      float[] d = random.matrix(shape.m(), shape.n());
      float[] saved = saved(random, f, x.length);
      for (float value : NOT_FINITE) {
        for (int place = 0; place < 3; place++) {
          float[] badX = with(x, place, value);
          float[] badW = with(w, place, value);
          float[] badB = with(b, place, value);
          float[] badD = with(d, place, value);
          float[] badSaved = with(saved, place, value);
          boolean nan = value != value;
          // X and A: a row; W and b: a column; D: a row, or a row of dW; a mask: one element.
          assertNans(nan, shape.n(), forward(Placement.ODD, shape, f, badX, w, b));
          assertNans(nan, shape.m(), forward(Placement.ODD, shape, f, x, badW, b));
          assertNans(nan, shape.m(), forward(Placement.ODD, shape, f, x, w, badB));
          assertNans(nan, shape.k(), propagate(Placement.ODD, shape, f, badD, w, saved));
          assertNans(nan, shape.m(), propagate(Placement.ODD, shape, f, d, badW, saved));
          assertNans(nan, 1, propagate(Placement.ODD, shape, f, d, w, badSaved));
          assertNans(nan, shape.k(), gradients(Placement.ODD, shape, badD, x));
          assertNans(nan, shape.n(), gradients(Placement.ODD, shape, d, badX));
        }
      }
    }
  }

  /** A dead unit does not hide a NaN or an infinity that reaches it, nor does a zero weight. */
  @ParameterizedTest
  @EnumSource(Activation.class)
  void zerosDoNotHideNaN(Activation f) {
    Shape shape = new Shape(3, 4, 5);
    float[] zeros = new float[20];
    float[] mask = new float[12];
    Arrays.fill(mask, f.savesInput() ? -1e4f : f == Activation.TANH ? 1 : 0); // where f' = 0
    for (float value : NOT_FINITE) {
      for (int place = 0; place < 3; place++) {
        float[] bad15 = with(new float[15], place, value);
        float[] bad12 = with(new float[12], place, value);
        assertNans(true, 4, propagate(Placement.OWN, shape, f, bad15, zeros, mask));
        assertNans(true, 5, forward(Placement.OWN, shape, f, bad12, zeros, new float[5]));
        assertNans(true, 4, gradients(Placement.OWN, shape, bad15, new float[12]));
        assertNans(true, 5, gradients(Placement.OWN, shape, new float[15], bad12));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Output.class)
  void notFiniteLogits(Output output) {
    for (Shape shape : List.of(new Shape(3, 0, 2), new Shape(33, 0, 9), new Shape(129, 0, 65))) {
      Matrices random = new Matrices("not finite", output, shape);
      float[] z = random.matrix(shape.m(), shape.n());
      float[] y = random.targets(output, shape.m(), shape.n());
      for (float value : NOT_FINITE) {
        boolean nan = value != value;
        for (int place = 0; place < 3; place++) {
          float[] badZ = with(z, place, value);
          float[] badY = with(y, place, value);
          int hit = output == Output.SOFTMAX ? shape.n() : 1; // the link of softmax is of a row
          assertNans(nan, hit, outputError(Placement.ODD, shape, output, badZ, y, nan));
          assertNans(nan, 1, outputError(Placement.ODD, shape, output, z, badY, nan));
        }
      }
    }
  }

  // One call against the reference. Each returns the (first) result.

  private float[] forward(
      Placement placement, Shape shape, Activation f, float[] x, float[] w, float[] b) {
    int m = shape.m();
    int k = shape.k();
    int n = shape.n();
    try (Arena arena = new Arena(engine, placement)) {
      Matrix inputs = arena.input("X", x, m, k);
      Matrix weights = arena.input("W", w, n, k);
      Matrix biases = arena.input("b", b, 1, n);
      Matrix result = arena.result("A", m, n);
      Matrix saved = f.savesInput() ? arena.result("saved", m, n) : result;
      engine.forward(inputs, weights, biases, f, saved, result);

      double[][] z =
          Reference.preActivations(
              Matrices.rows(x, m, k), Matrices.rows(w, n, k), Matrices.rows(b, 1, n)[0]);
      double product = Matrices.size(x) * Matrices.size(w);
      double scale = Math.sqrt((k * product * product + Math.pow(Matrices.size(b), 2)) / (k + 1));
      Tolerance sum = sum(k + 1, scale).and(flushed(k + 1, x, w));
      String what = "forward, " + f + ", " + shape + ", " + placement;
      float[] a = arena.read(result);
      Matrices.assertThrough(what, f::apply, sum, function(f, 1), z, a);
      if (f.savesInput()) {
        Matrices.assertClose(what + ", saved", sum, z, arena.read(saved));
      }
      arena.assertGuards(what);
      return a;
    }
  }

  private float[] outputError(
      Placement placement, Shape shape, Output output, float[] z, float[] y, boolean withLoss) {
    int m = shape.m();
    int n = shape.n();
    try (Arena arena = new Arena(engine, placement);
        Cursor at = engine.allocateCursor("at")) {
      Matrix logits = arena.input("Z", z, m, n);
      Matrix targets = arena.input("Y", y, m, n);
      Matrix error = arena.result("D", m, n);
      float[] before = {1, 2, 3};
      Matrix losses = arena.changed("losses", before, 3, 1);
      engine.set(at, 1);
      engine.outputError(output, logits, targets, error, losses, at);

      double[][] exactZ = Matrices.rows(z, m, n);
      double[][] exactY = Matrices.rows(y, m, n);
      String what = "outputError, " + output + ", " + shape + ", " + placement;
      float[] d = arena.read(error);
      Tolerance links =
          output == Output.LINEAR
              ? Tolerance.function(0)
              : Tolerance.function(1.0 / m)
                  .and(Tolerance.sum(Precision.FP32, n, 1.0 / Math.max(1, m) / n));
      Matrices.assertClose(
          what + ": D",
          (m == 0 ? Tolerance.EXACT : links).and(Tolerance.UNDERFLOW),
          Reference.outputError(output, exactZ, exactY),
          d);
      float[] after = arena.read(losses);
      if (withLoss) {
        double loss = Reference.meanLoss(output, exactZ, exactY);
        double scale = lossTerms(output, exactZ, exactY);
        int terms = Math.max(1, m * n);
        Tolerance mean =
            Tolerance.sum(Precision.FP32, terms, scale / terms).and(Tolerance.function(scale));
        Matrices.assertClose(
            what + ": loss",
            (m == 0 ? Tolerance.EXACT : mean).and(Tolerance.UNDERFLOW),
            new double[][] {{loss}},
            new float[] {after[1]});
      }
      Matrices.assertSame(
          what + ": other losses", new float[] {1, 3}, new float[] {after[0], after[2]});
      arena.assertGuards(what);
      return d;
    }
  }

  /** The mean size of the terms that add up to a sample's loss. */
  private static double lossTerms(Output output, double[][] z, double[][] y) {
    double sum = 0;
    for (int i = 0; i < z.length; i++) {
      double max = Arrays.stream(z[i]).max().orElse(0);
      for (int j = 0; j < z[i].length; j++) {
        double term =
            switch (output) {
              case SIGMOID -> Math.abs(z[i][j]) * (z[i][j] > 0 ? 1 - y[i][j] : y[i][j]) + 1;
              case SOFTMAX -> Math.abs(y[i][j] * (z[i][j] - max)) + 1;
              case LINEAR -> 0.5 * (z[i][j] - y[i][j]) * (z[i][j] - y[i][j]);
            };
        sum += Double.isFinite(term) ? term : 0;
      }
    }
    return sum / Math.max(1, z.length);
  }

  private float[] propagate(
      Placement placement, Shape shape, Activation f, float[] d, float[] w, float[] saved) {
    int m = shape.m();
    int k = shape.k();
    int n = shape.n();
    try (Arena arena = new Arena(engine, placement)) {
      Matrix error = arena.input("D", d, m, n);
      Matrix weights = arena.input("W", w, n, k);
      Matrix mask = arena.input("saved", saved, m, k);
      Matrix result = arena.result("E", m, k);
      engine.propagate(error, weights, f, mask, result);

      double[][] exactD = Matrices.rows(d, m, n);
      double[][] exactW = Matrices.rows(w, n, k);
      double[][] exactSaved = Matrices.rows(saved, m, k);
      double[][] sums = Reference.propagate(exactD, exactW, Activation.IDENTITY, exactSaved);
      Tolerance tolerance =
          sum(n, Matrices.size(d) * Matrices.size(w))
              .and(flushed(n, d, w))
              .and(function(f, Matrices.largest(sums)));
      String what = "propagate, " + f + ", " + shape + ", " + placement;
      float[] e = arena.read(result);
      Matrices.assertClose(what, tolerance, Reference.propagate(exactD, exactW, f, exactSaved), e);
      arena.assertGuards(what);
      return e;
    }
  }

  private float[] gradients(Placement placement, Shape shape, float[] d, float[] a) {
    int m = shape.m();
    int k = shape.k();
    int n = shape.n();
    try (Arena arena = new Arena(engine, placement)) {
      Matrix error = arena.input("D", d, m, n);
      Matrix inputs = arena.input("A", a, m, k);
      Matrix weightGradient = arena.result("dW", n, k);
      Matrix biasGradient = arena.result("db", 1, n);
      engine.gradients(error, inputs, weightGradient, biasGradient);

      double[][] exactD = Matrices.rows(d, m, n);
      String what = "gradients, " + shape + ", " + placement;
      float[] dw = arena.read(weightGradient);
      Matrices.assertClose(
          what + ": dW",
          sum(m, Matrices.size(d) * Matrices.size(a)).and(flushed(m, d, a)),
          Reference.weightGradient(exactD, Matrices.rows(a, m, k), n, k),
          dw);
      Matrices.assertClose(
          what + ": db",
          Tolerance.sum(Precision.FP32, m, Matrices.size(d)).and(flushed(m, d)),
          new double[][] {Reference.biasGradient(exactD, n)},
          arena.read(biasGradient));
      arena.assertGuards(what);
      return dw;
    }
  }

  /** One step for each gradient, each with its row of the schedule. */
  private void update(
      Placement placement,
      UpdateRule rule,
      float[] theta,
      float[] state,
      float[][] gradients,
      float[] schedule) {
    int p = theta.length;
    double[] parameters = Matrices.rows(theta, 1, p)[0];
    double[][] memory = Matrices.rows(state, rule.stateRows(), p);
    double[][] scalars = Matrices.rows(schedule, gradients.length, UpdateRule.SCALARS);
    try (Arena arena = new Arena(engine, placement);
        Cursor at = engine.allocateCursor("at")) {
      Matrix parameter = arena.changed("theta", theta, 1, p);
      Matrix remembered = arena.changed("state", state, rule.stateRows(), p);
      Matrix plan = arena.input("schedule", schedule, gradients.length, UpdateRule.SCALARS);
      double moved = 0; // the longest step so far
      for (int s = 0; s < gradients.length; s++) {
        Matrix gradient = arena.input("gradient", gradients[s], 1, p);
        engine.update(rule, parameter, gradient, remembered, plan, at);
        engine.advance(at);

        double[] before = parameters.clone();
        double[][] memoryBefore =
            Arrays.stream(memory).map(double[]::clone).toArray(double[][]::new);
        double[] g = Matrices.rows(gradients[s], 1, p)[0];
        Reference.update(rule, parameters, g, memory, scalars[s]);
        for (int i = 0; i < p; i++) {
          double by = Math.abs(parameters[i] - before[i]);
          moved = Double.isFinite(by) ? Math.max(moved, by) : moved;
        }
        String what = "update, " + rule + ", " + p + " parameters, step " + s + ", " + placement;
        Matrices.assertClose(
            what + ": theta",
            function(Matrices.largest(new double[][] {before}) + moved).times(s + 1),
            new double[][] {parameters},
            arena.read(parameter));
        float[] states = arena.read(remembered);
        for (int r = 0; r < rule.stateRows(); r++) {
          // What was there counts too: it may cancel with the gradient.
          double largest = Matrices.largest(new double[][] {memoryBefore[r], memory[r]});
          Matrices.assertClose(
              what + ": state " + r,
              function(largest).times(s + 1),
              new double[][] {memory[r]},
              Arrays.copyOfRange(states, r * p, (r + 1) * p));
        }
      }
      arena.assertGuards("update, " + rule);
    }
  }

  private Tolerance sum(long terms, double scale) {
    return Tolerance.sum(engine.description().precision(), terms, scale);
  }

  /** What flushing to zero may take from a sum of products. */
  private static Tolerance flushed(int terms, float[]... factors) {
    double largest = Arrays.stream(factors).mapToDouble(Matrices::largest).max().orElse(0);
    return Tolerance.UNDERFLOW.times(2 * terms * Math.max(1, largest));
  }

  private static Tolerance function(double scale) {
    return Tolerance.function(scale).and(Tolerance.UNDERFLOW);
  }

  /** The error that f itself adds; the piecewise linear ones only round. */
  private static Tolerance function(Activation f, double scale) {
    return switch (f) {
      case RELU, LEAKY_RELU, IDENTITY -> function(0);
      case TANH, SIGMOID, GELU -> function(scale);
    };
  }

  private static Placement[] placements(Shape shape) {
    return (long) shape.m() * shape.k() * shape.n() < LARGE
        ? Placement.values()
        : new Placement[] {Placement.OWN, Placement.ODD};
  }

  private static float[] saved(Matrices random, Activation f, int size) {
    float[] saved = random.gaussian(size, 1);
    if (!f.savesInput()) {
      for (int i = 0; i < size; i++) {
        saved[i] = (float) f.apply(saved[i]);
      }
    }
    return saved;
  }

  private static float[] squares(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= values[i];
    }
    return values;
  }

  /** A copy with one value replaced: the first, the middle or the last. */
  private static float[] with(float[] values, int place, float value) {
    float[] bad = values.clone();
    bad[place * (values.length - 1) / 2] = value;
    return bad;
  }

  /** The comparison with the reference has found the right ones; this is against both hiding it. */
  private static void assertNans(boolean sure, int expected, float[] values) {
    int count = 0;
    for (float value : values) {
      count += value != value ? 1 : 0;
    }
    if (sure) {
      assertEquals(expected, count, "NaN in the result");
    }
  }

  // Wrong calls.

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#operations")
  void wrongOperandsAreNamedAndNothingChanges(Operation operation) {
    try (Engine other = open(options())) {
      for (int i = 0; i < operation.specs().size(); i++) {
        Spec spec = operation.specs().get(i);
        Matrix closed = engine.allocate("closed", spec.rows(), spec.columns());
        closed.close();
        List<Matrix> wrong = new ArrayList<>();
        wrong.add(null);
        wrong.add(closed);
        wrong.add(closed.slice(0, spec.rows(), spec.columns()));
        wrong.add(other.allocate("foreign", spec.rows(), spec.columns()));
        wrong.add(engine.allocate("wide", spec.rows(), spec.columns() + 1));
        wrong.add(engine.allocate("narrow", spec.rows(), spec.columns() - 1));
        if (!spec.free()) {
          wrong.add(engine.allocate("high", spec.rows() + 1, spec.columns()));
          wrong.add(engine.allocate("low", spec.rows() - 1, spec.columns()));
        }
        for (Matrix matrix : wrong) {
          assertRefused(operation, i, matrix);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#operations")
  void overlappingResultsAreRefused(Operation operation) {
    for (int i = 0; i < operation.specs().size(); i++) {
      for (int j = 0; j < operation.specs().size(); j++) {
        Spec result = operation.specs().get(i);
        Spec other = operation.specs().get(j);
        if (i != j && result.result()) {
          Matrix block = engine.allocate("block", 1, 100);
          Matrix[] matrices = matrices(operation);
          for (int apart : new int[] {0, other.rows() * other.columns() - 1}) {
            matrices[j] = block.slice(0, other.rows(), other.columns());
            matrices[i] = block.slice(apart, result.rows(), result.columns());
            String message = refused(operation, matrices).getMessage();
            assertTrue(message.contains("overlap"), message);
          }
          matrices[i] =
              block.slice(other.rows() * other.columns(), result.rows(), result.columns());
          assertDoesNotThrow(() -> operation.call().on(engine, matrices, pointers()));
        }
      }
    }
  }

  private void assertRefused(Operation operation, int operand, Matrix wrong) {
    try (Arena arena = new Arena(engine, Placement.OWN)) {
      Matrix[] matrices = new Matrix[operation.specs().size()];
      for (int i = 0; i < matrices.length; i++) {
        Spec spec = operation.specs().get(i);
        float[] values = new Matrices(operation, i).matrix(spec.rows(), spec.columns());
        matrices[i] = arena.input(spec.name(), values, spec.rows(), spec.columns());
      }
      matrices[operand] = wrong;
      String message = refused(operation, matrices).getMessage();
      assertTrue(message.startsWith(operation.name() + ":"), message);
      for (Matrix matrix : matrices) {
        String shape =
            matrix == null ? "null" : "[" + matrix.rows() + " x " + matrix.columns() + "]";
        assertTrue(message.contains(shape), () -> shape + " is not in: " + message);
      }
      assertTrue(message.contains(operation.specs().get(operand).name()), message);
      arena.assertUnchanged(message);
    }
  }

  private IllegalArgumentException refused(Operation operation, Matrix[] matrices) {
    Pointers pointers = pointers();
    IllegalArgumentException called =
        assertThrows(
            IllegalArgumentException.class,
            () -> operation.call().on(engine, matrices, pointers),
            () -> operation + " of " + Arrays.toString(matrices));
    assertThrows(
        IllegalArgumentException.class,
        () -> engine.record(() -> operation.call().on(engine, matrices, pointers)),
        () -> "recorded: " + operation + " of " + Arrays.toString(matrices));
    return called;
  }

  private Matrix[] matrices(Operation operation) {
    return operation.specs().stream()
        .map(spec -> engine.allocate(spec.name(), spec.rows(), spec.columns()))
        .toArray(Matrix[]::new);
  }

  private Pointers pointers() {
    Indices rows = engine.allocateIndices("rows", 2, 5, 6);
    engine.write(rows, new int[] {0, 1, 2, 3, 4, 5, 4, 3, 2, 1});
    Cursor at = engine.allocateCursor("at");
    engine.set(at, 1);
    return new Pointers(rows, at);
  }

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#operations")
  void wrongCursorsAndIndicesAreRefused(Operation operation) {
    boolean gathers = operation.name().equals("gather");
    if (!gathers && !List.of("outputError", "update").contains(operation.name())) {
      return; // has neither
    }
    Matrix[] matrices = matrices(operation);
    Pointers right = pointers();
    Pointers closed = pointers();
    closed.at().close();
    closed.rows().close();
    Cursor past = engine.allocateCursor("past");
    engine.set(past, 3); // as many rows as the largest has
    try (Engine other = open(options())) {
      List<Pointers> wrong = new ArrayList<>();
      for (Cursor at : Arrays.asList(null, closed.at(), other.allocateCursor("foreign"), past)) {
        wrong.add(new Pointers(right.rows(), at));
      }
      if (gathers) {
        wrong.add(new Pointers(null, right.at()));
        wrong.add(new Pointers(closed.rows(), right.at()));
        wrong.add(new Pointers(other.allocateIndices("foreign", 2, 5, 6), right.at()));
        wrong.add(new Pointers(engine.allocateIndices("short", 2, 2, 6), right.at()));
        wrong.add(new Pointers(engine.allocateIndices("unbounded", 2, 5, 7), right.at()));
      }
      for (Pointers pointers : wrong) {
        String message =
            assertThrows(
                    IllegalArgumentException.class,
                    () -> operation.call().on(engine, matrices, pointers),
                    pointers::toString)
                .getMessage();
        assertTrue(message.startsWith(operation.name() + ":"), message);
        for (Spec spec : operation.specs()) {
          assertTrue(message.contains(spec.shape()), message);
        }
      }
      for (Matrix matrix : matrices) {
        Matrices.assertSame("unchanged", new float[(int) matrix.size()], read(matrix));
      }
    }
  }

  @Test
  void wrongTrafficIsRefused() {
    Matrix matrix = engine.allocate("matrix", 2, 3);
    Indices rows = engine.allocateIndices("rows", 2, 2, 4);
    Cursor cursor = engine.allocateCursor("cursor");
    Matrix closed = engine.allocate("closed", 2, 3);
    closed.close();
    try (Engine other = open(options())) {
      Matrix foreign = other.allocate("foreign", 2, 3);
      assertRefusal("write", () -> engine.write(matrix, new float[5]));
      assertRefusal("write", () -> engine.write(matrix, null));
      assertRefusal("write", () -> engine.write((Matrix) null, new float[6]));
      assertRefusal("write", () -> engine.write(closed, new float[6]));
      assertRefusal("write", () -> engine.write(foreign, new float[6]));
      assertRefusal("read", () -> engine.read(matrix, new float[7]));
      assertRefusal("read", () -> engine.read(matrix, null));
      assertRefusal("read", () -> engine.read(null, new float[6]));
      assertRefusal("read", () -> engine.read(closed, new float[6]));
      assertRefusal("read", () -> engine.read(foreign, new float[6]));
      assertRefusal("record", () -> engine.record(() -> {}, List.of(foreign)));
      assertRefusal("write", () -> engine.write(rows, new int[3]));
      assertRefusal("write", () -> engine.write(rows, null));
      assertRefusal("write", () -> engine.write((Indices) null, new int[4]));
      assertRefusal("write", () -> engine.write(rows, new int[] {0, 1, 2, 4}));
      assertRefusal("write", () -> engine.write(rows, new int[] {0, -1, 2, 3}));
      assertRefusal("write", () -> engine.write(other.allocateIndices("f", 2, 2, 4), new int[4]));
      assertRefusal("set", () -> engine.set(cursor, -1));
      assertRefusal("set", () -> engine.set(null, 1));
      assertRefusal("set", () -> engine.set(other.allocateCursor("foreign"), 1));
      assertRefusal("advance", () -> engine.advance(null));
      assertRefusal("advance", () -> engine.advance(other.allocateCursor("foreign")));
      assertRefusal("allocate", () -> engine.allocate("negative", -1, 1));
      assertRefusal("allocate", () -> engine.allocate("negative", 1, -1));
      assertRefusal("allocateIndices", () -> engine.allocateIndices("negative", -1, 1, 1));
      assertRefusal("allocateIndices", () -> engine.allocateIndices("negative", 1, -1, 1));
      assertRefusal("allocateIndices", () -> engine.allocateIndices("none", 1, 1, 0));
      assertRefusal("slice", () -> matrix.slice(0, 2, 4));
      assertRefusal("slice", () -> matrix.slice(1, 2, 3));
      assertRefusal("slice", () -> matrix.slice(-1, 1, 1));
      assertRefusal("slice", () -> matrix.slice(Long.MAX_VALUE, 1, 1));
      assertRefusal("slice", () -> matrix.slice(0, Integer.MAX_VALUE, Integer.MAX_VALUE));
      assertRefusal("slice", () -> matrix.slice(0, -1, 1));
      assertRefusal("slice", () -> matrix.top(3));
    }
    assertEquals(0, cursor.position());
    Matrices.assertSame("unchanged", new float[6], read(matrix));
  }

  @Test
  void whatIsNoOperandMayNotBeNull() {
    Pointers p = pointers();
    Matrix m = engine.allocate("m", 1, 1);
    Matrix n = engine.allocate("n", 1, 1);
    Matrix l = engine.allocate("l", 2, 1);
    Matrix r = engine.allocate("r", 1, 1);
    Matrix s = engine.allocate("s", 2, 4);
    assertRefusal("forward", () -> engine.forward(m, n, m, null, r, r));
    assertRefusal("propagate", () -> engine.propagate(m, n, null, m, r));
    assertRefusal("outputError", () -> engine.outputError(null, m, n, r, l, p.at()));
    assertRefusal("update", () -> engine.update(null, m, n, r, s, p.at()));
  }

  @Test
  void savedIsTheResultUnlessThePreActivationsAreKept() {
    Matrix m = engine.allocate("m", 4, 4);
    Matrix b = engine.allocate("b", 1, 4);
    Matrix w = engine.allocate("w", 4, 4);
    Matrix a = engine.allocate("a", 4, 4);
    Matrix other = engine.allocate("other", 4, 4);
    assertRefusal("forward", () -> engine.forward(m, w, b, Activation.RELU, other, a));
    assertRefusal("forward", () -> engine.forward(m, w, b, Activation.GELU, a, a));
    Matrix top = m.top(3);
    engine.forward(top, w, b, Activation.RELU, a.top(3), a.top(3)); // equal views are the same
  }

  private static void assertRefusal(String operation, Runnable call) {
    String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(message.startsWith(operation), message);
  }

  // Lifetime.

  @ParameterizedTest
  @MethodSource("io.deltarule.engine.Cases#operations")
  void aClosedEngineRefusesItsCalls(Operation operation) {
    Matrix[] matrices = matrices(operation);
    Pointers pointers = pointers();
    engine.close();
    String message =
        assertThrows(
                IllegalStateException.class, () -> operation.call().on(engine, matrices, pointers))
            .getMessage();
    assertTrue(message.startsWith(operation.name() + ":"), message);
  }

  @Test
  void aClosedEngineRefusesEverything() {
    Matrix matrix = engine.allocate("matrix", 2, 3);
    Pointers pointers = pointers();
    Recording recording = engine.record(() -> engine.advance(pointers.at()));
    engine.close();
    engine.close();
    assertEquals(0, engine.allocatedBytes());
    List<Runnable> calls = new ArrayList<>();
    Cases.refused().forEach(call -> calls.add(() -> call.accept(engine, matrix)));
    calls.add(engine::memory);
    calls.add(() -> engine.set(pointers.at(), 1));
    calls.add(() -> engine.advance(pointers.at()));
    calls.add(() -> engine.write(pointers.rows(), new int[10]));
    calls.add(recording::run);
    calls.forEach(call -> assertThrows(IllegalStateException.class, call::run));
    matrix.close();
    pointers.at().close();
    pointers.rows().close();
    recording.close();
    assertEquals(0, engine.allocatedBytes());
    assertNotNull(engine.description());
  }

  @Test
  void memoryIsCountedAndFreed() {
    assertEquals(0, engine.allocatedBytes());
    Matrix matrix = engine.allocate("matrix", 10, 100);
    long one = engine.allocatedBytes();
    assertTrue(one >= 4000, () -> one + " bytes for 1000 floats");
    Matrix slice = matrix.slice(100, 2, 100);
    assertEquals(one, engine.allocatedBytes());
    slice.close();
    assertEquals(one, engine.allocatedBytes());
    engine.write(slice, new float[200]); // closing a slice does nothing
    Indices rows = engine.allocateIndices("rows", 10, 100, 7);
    assertTrue(engine.allocatedBytes() >= one + 4000);
    Cursor cursor = engine.allocateCursor("cursor");
    assertTrue(engine.allocatedBytes() >= one + 4004);
    Matrix second = engine.allocate("second", 1, 1);
    matrix.close();
    long rest = engine.allocatedBytes();
    matrix.close();
    assertEquals(rest, engine.allocatedBytes());
    String message =
        assertThrows(IllegalArgumentException.class, () -> engine.read(slice, new float[200]))
            .getMessage();
    assertTrue(message.contains("closed"), message);
    rows.close();
    rows.close();
    cursor.close();
    cursor.close();
    engine.write(second, new float[] {1});
    second.close();
    assertEquals(0, engine.allocatedBytes());
    engine.allocate("empty", 0, 5).close();
    engine.allocate("empty", 5, 0).close();
    assertEquals(0, engine.allocatedBytes());
  }

  @Test
  void opensAndClosesAHundredTimes() {
    for (int i = 0; i < 100; i++) {
      try (Engine one = open(options())) {
        Matrix a = one.allocate("a", 3, 3);
        Matrix b = one.allocate("b", 3, 3);
        one.write(a, new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9});
        one.copy(a, b);
        float[] values = new float[9];
        if (i % 2 == 0) {
          one.read(b, values);
          assertEquals(9, values[8]);
        }
      }
    }
  }

  @Test
  void enginesAreIndependent() {
    Matrix mine = engine.allocate("mine", 1, 1);
    engine.write(mine, new float[] {1});
    try (Engine other = open(options())) {
      other.write(other.allocate("theirs", 1, 1), new float[] {2});
    }
    assertEquals(1, read(mine)[0]);
  }

  @Test
  void describesItself() {
    EngineDescription description = engine.description();
    assertTrue(!description.engine().isBlank() && !description.device().isBlank());
    assertEquals(options().precision(), description.precision());
  }

  @Test
  void cursorsCount() {
    Cursor cursor = engine.allocateCursor("cursor");
    assertEquals(0, cursor.position());
    engine.advance(cursor);
    engine.advance(cursor);
    assertEquals(2, cursor.position());
    engine.set(cursor, 7);
    engine.advance(cursor);
    assertEquals(8, cursor.position());
  }

  // Recording.

  @Test
  void recordingExecutesNothingAndReplaysOnWhatIsThereThen() {
    Matrices random = new Matrices("record");
    Matrix x = engine.allocate("x", 9, 17);
    Matrix w = engine.allocate("w", 33, 17);
    Matrix b = engine.allocate("b", 1, 33);
    Matrix a = engine.allocate("a", 9, 33);
    Matrix copy = engine.allocate("copy", 9, 33);
    Cursor cursor = engine.allocateCursor("cursor");
    Recording recording =
        engine.record(
            () -> {
              engine.forward(x, w, b, Activation.TANH, a, a);
              engine.copy(a, copy);
              engine.advance(cursor);
            });
    Matrices.assertSame("not executed", new float[9 * 33], read(copy));
    assertEquals(0, cursor.position());
    for (int i = 1; i <= 3; i++) {
      engine.write(x, random.matrix(9, 17));
      engine.write(w, random.matrix(33, 17));
      engine.write(b, random.matrix(1, 33));
      recording.run();
      float[] replayed = read(copy);
      assertEquals(i, cursor.position());
      engine.forward(x, w, b, Activation.TANH, a, a);
      Matrices.assertSame("replayed and called", read(a), replayed);
    }
    recording.close();
    recording.close();
    assertThrows(IllegalStateException.class, recording::run);
    assertEquals(3, cursor.position());
    Recording empty = engine.record(() -> {});
    empty.run();
    empty.close();
  }

  @ParameterizedTest
  @MethodSource({"io.deltarule.engine.Cases#refused", "io.deltarule.engine.Cases#closings"})
  void recordingRefusesWhatIsNoEquation(BiConsumer<Engine, Matrix> call) {
    Matrix from = engine.allocate("from", 2, 2);
    Matrix to = engine.allocate("to", 2, 2);
    long bytes = engine.allocatedBytes();
    String message =
        assertThrows(
                IllegalStateException.class,
                () ->
                    engine.record(
                        () -> {
                          engine.copy(from, to);
                          call.accept(engine, from);
                        }))
            .getMessage();
    assertTrue(message.contains("record"), message);
    assertEquals(bytes, engine.allocatedBytes());
    assertUsable(from, to);
  }

  @Test
  void aCursorEndsAtTheLargestPosition() {
    Cursor cursor = engine.allocateCursor("cursor");
    Recording twice =
        engine.record(
            () -> {
              engine.advance(cursor);
              engine.advance(cursor);
            });
    engine.set(cursor, Integer.MAX_VALUE - 3);
    assertThrows(IllegalArgumentException.class, () -> twice.run(2));
    twice.run();
    String message = assertThrows(IllegalArgumentException.class, twice::run).getMessage();
    assertTrue(message.contains("the largest position"), message);
    engine.advance(cursor);
    assertEquals(Integer.MAX_VALUE, cursor.position());
    assertThrows(IllegalArgumentException.class, () -> engine.advance(cursor));
    assertEquals(Integer.MAX_VALUE, cursor.position());
  }

  @Test
  void recordingRefusesToMoveOrWritePointers() {
    Matrix from = engine.allocate("from", 2, 2);
    Matrix to = engine.allocate("to", 2, 2);
    Pointers pointers = pointers();
    Recording inner = engine.record(() -> engine.advance(pointers.at()));
    List<Runnable> calls =
        List.of(
            () -> engine.set(pointers.at(), 0),
            () -> engine.write(pointers.rows(), new int[10]),
            inner::run);
    for (Runnable call : calls) {
      assertThrows(IllegalStateException.class, () -> engine.record(call));
      assertEquals(1, pointers.at().position());
      assertUsable(from, to);
    }
  }

  @Test
  void aFailedRecordingLeavesTheEngineUsable() {
    Matrix from = engine.allocate("from", 2, 2);
    Matrix to = engine.allocate("to", 2, 2);
    assertThrows(
        UnsupportedOperationException.class,
        () ->
            engine.record(
                () -> {
                  engine.copy(from, to);
                  throw new UnsupportedOperationException("the caller's own");
                }));
    assertUsable(from, to);
    assertThrows(
        IllegalArgumentException.class, () -> engine.record(() -> engine.copy(from, to.top(1))));
    assertUsable(from, to);
  }

  private void assertUsable(Matrix from, Matrix to) {
    float[] values = {1, 2, 3, 4};
    engine.write(from, values);
    engine.write(to, new float[4]);
    Recording recording = engine.record(() -> engine.copy(from, to));
    Matrices.assertSame("not yet", new float[4], read(to));
    recording.run();
    Matrices.assertSame("replayed", values, read(to));
    recording.close();
  }

  @Test
  void aRecordingChecksItsMatricesAndCursors() {
    Matrix from = engine.allocate("from", 2, 2);
    Matrix z = engine.allocate("z", 2, 2);
    Matrix d = engine.allocate("d", 2, 2);
    Matrix losses = engine.allocate("losses", 3, 1);
    Cursor at = engine.allocateCursor("at");
    engine.write(losses, new float[] {7, 7, 7});
    Recording recording =
        engine.record(
            () -> {
              engine.copy(from, z);
              engine.advance(at);
              engine.outputError(Output.LINEAR, z, from, d, losses, at);
            });
    recording.run();
    recording.run();
    engine.write(from, new float[] {1, 1, 1, 1});
    String message = assertThrows(IllegalArgumentException.class, recording::run).getMessage();
    assertTrue(message.contains("at") && message.contains("losses"), message);
    assertEquals(2, at.position());
    Matrices.assertSame("not begun", new float[4], read(z));
    Matrices.assertSame("losses", new float[] {7, 0, 0}, read(losses));
    engine.set(at, 0);
    message = assertThrows(IllegalArgumentException.class, () -> recording.run(3)).getMessage();
    assertTrue(message.contains("at") && message.contains("3 times"), message);
    assertThrows(IllegalArgumentException.class, () -> recording.run(0));
    assertEquals(0, at.position());
    recording.run(2);
    assertEquals(2, at.position());
    engine.set(at, 0);
    recording.run();
    assertEquals(1, at.position());
    d.close();
    message = assertThrows(IllegalArgumentException.class, recording::run).getMessage();
    assertTrue(message.contains("d is closed"), message);
    assertEquals(1, at.position());
  }

  @Test
  void enginesOfOtherThreadsDoNotDisturbARecording() {
    CompletableFuture<Void> others =
        CompletableFuture.runAsync(
            () -> {
              for (int i = 0; i < 10; i++) {
                open(options()).close();
              }
            });
    Matrix from = engine.allocate("from", 2, 2);
    Matrix to = engine.allocate("to", 2, 2);
    try {
      do {
        assertUsable(from, to);
      } while (!others.isDone());
    } finally {
      others.join();
    }
  }

  // Whole runs.

  /**
   * A recorded training step leaves the bits that its calls leave.
   *
   * @param f of the hidden layers
   */
  @ParameterizedTest
  @EnumSource(Activation.class)
  protected void recordedEqualsCalled(Activation f) {
    recordedEqualsCalled(engine, f, 16, 24);
  }

  /** So many that a GPU has another way to compute the step. */
  @Test
  void recordedEqualsCalledWithMoreRows() {
    recordedEqualsCalled(engine, Activation.RELU, 300, 8);
  }

  /** Likewise, of another engine, with such batches and so many steps, a multiple of 4. */
  protected static void recordedEqualsCalled(Engine engine, Activation f, int batch, int steps) {
    Network network = new Network(19, List.of(33, 17), f, 3, Output.SOFTMAX);
    Task task = new Task(network, new Adam(0.9f, 0.999f, 1e-8f), 0.01, 50, batch, steps);
    try (Trainee called = new Trainee(engine, task);
        Trainee replayed = new Trainee(engine, task);
        Trainee withScratch = new Trainee(engine, task)) {
      try (Recording whole = engine.record(() -> replayed.step(batch));
          Recording last = engine.record(() -> replayed.step(2));
          Recording wholeWith =
              engine.record(() -> withScratch.step(batch), withScratch.scratch());
          Recording lastWith = engine.record(() -> withScratch.step(2), withScratch.scratch())) {
        for (int t = 0; t < task.steps(); t++) {
          boolean smaller = t % 4 == 3;
          called.step(smaller ? 2 : batch);
          (smaller ? last : whole).run();
          if (smaller) {
            wholeWith.run(3);
            lastWith.run();
          }
        }
      }
      assertSameRun(called, replayed);
      assertSameRun(called, withScratch);
    }
  }

  @Test
  void anotherOrderOfTheSameCallsHasTheSameBits() {
    Network network = new Network(19, List.of(33, 17), Activation.RELU, 3, Output.SOFTMAX);
    Task task = new Task(network, new Momentum(0.9f), 0.01, 50, 16, 4);
    try (Trainee called = new Trainee(engine, task);
        Trainee replayed = new Trainee(engine, task);
        Trainee withScratch = new Trainee(engine, task);
        Recording step = engine.record(() -> replayed.interleavedStep(16));
        Recording stepWith =
            engine.record(() -> withScratch.interleavedStep(16), withScratch.scratch())) {
      for (int t = 0; t < task.steps(); t++) {
        called.step(16);
      }
      step.run(task.steps());
      stepWith.run(task.steps());
      assertSameRun(called, replayed);
      assertSameRun(called, withScratch);
    }
  }

  @Test
  void threadsDoNotChangeTheBits() {
    Network network = new Network(257, List.of(129, 65), Activation.GELU, 3, Output.SOFTMAX);
    Task task = new Task(network, new Momentum(0.9f), 0.01, 200, 130, 6);
    try (Trainee first = run(engine, task)) {
      try (Trainee again = run(engine, task)) {
        assertSameRun(first, again);
      }
      for (int threads : threads()) {
        try (Engine other = open(options().withThreads(threads));
            Trainee another = run(other, task)) {
          assertSameRun(first, another);
        }
      }
    }
  }

  private static Trainee run(Engine engine, Task task) {
    Trainee trainee = new Trainee(engine, task);
    for (int t = 0; t < task.steps(); t++) {
      trainee.step(t == task.steps() - 1 ? 17 : task.batch());
    }
    return trainee;
  }

  private static void assertSameRun(Trainee first, Trainee second) {
    Matrices.assertSame("losses", first.read(first.losses), second.read(second.losses));
    Matrices.assertSame("gradient", first.read(first.gradient), second.read(second.gradient));
    Matrices.assertSame("state", first.read(first.state), second.read(second.state));
    Matrices.assertSame("theta", first.read(first.theta), second.read(second.theta));
    assertEquals(first.step.position(), second.step.position());
  }

  @ParameterizedTest
  @EnumSource(Output.class)
  void trainsAsTheReferenceDoes(Output output) {
    int outputs = output == Output.SOFTMAX ? 3 : 1;
    UpdateRule rule =
        switch (output) {
          case SIGMOID -> new Adam(0.9f, 0.999f, 1e-8f);
          case SOFTMAX -> new Momentum(0.9f);
          case LINEAR -> new Sgd();
        };
    List<Network> networks =
        List.of(
            new Network(1, List.of(), Activation.RELU, outputs, output),
            new Network(3, List.of(2), Activation.LEAKY_RELU, outputs, output),
            new Network(30, List.of(64, 32), Activation.RELU, outputs, output));
    for (Network network : networks) {
      for (int batch : new int[] {1, 7, 33}) {
        train(new Task(network, rule, 0.01, 100, batch, 200));
      }
    }
  }

  private void train(Task task) {
    Network network = task.network();
    ReferenceNetwork reference = new ReferenceNetwork(task.parameters());
    double[] expected = Trainee.losses(task, reference, FIRST_STEPS);
    int widest =
        IntStream.range(0, network.layers()).map(network::inputs).max().orElse(1) + task.batch();
    try (Trainee trainee = new Trainee(engine, task)) {
      for (int t = 0; t < FIRST_STEPS; t++) {
        trainee.step(task.batch());
      }
      for (int l = 0; l < network.layers(); l++) {
        // Rounding passes through every layer, and adds up from step to step.
        Tolerance tolerance = sum(widest, 1).times(network.layers() * FIRST_STEPS);
        String what = task + ": layer " + l + " after " + FIRST_STEPS + " steps, ";
        Matrices.assertClose(what + "W", tolerance, reference.weights(l), trainee.weights(l));
        double[][] biases = {reference.biases(l)};
        Matrices.assertClose(what + "b", tolerance, biases, trainee.biases(l));
      }
      for (int t = FIRST_STEPS; t < task.steps(); t++) {
        trainee.step(task.batch());
      }
      float[] losses = trainee.read(trainee.losses);
      for (int t = 0; t < FIRST_STEPS; t++) {
        Tolerance tolerance = sum(widest, 1).times(network.layers() * (t + 1.0));
        double[][] loss = {{expected[t]}};
        Matrices.assertClose(task + ": loss " + t, tolerance, loss, new float[] {losses[t]});
      }
      for (float loss : losses) {
        assertTrue(Float.isFinite(loss), () -> task + ": a loss of " + loss);
      }
      double early = mean(losses, 0, 50);
      double late = mean(losses, task.steps() - 50, task.steps());
      boolean steady = task.batch() >= 33; // smaller batches may be easy or hard by chance
      assertTrue(
          !steady || late < early,
          () -> task + ": the loss went from " + early + " to " + late + "; " + Matrices.repeat());
    }
  }

  private static double mean(float[] values, int from, int to) {
    return IntStream.range(from, to).mapToDouble(i -> values[i]).average().orElseThrow();
  }

  private float[] read(Matrix matrix) {
    float[] values = new float[(int) matrix.size()];
    engine.read(matrix, values);
    return values;
  }
}

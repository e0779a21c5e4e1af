package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.deltarule.engine.UpdateRule.Adam;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Matrices of more than 2^31 numbers, where 32-bit indices end. They are made of a few rows that
 * are repeated, so that a small product on the same engine tells what the large one has to give.
 * What is off by an index is off by as much as the numbers are large.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS) // which a source of arguments needs
@Execution(ExecutionMode.SAME_THREAD) // the device has room for one
public abstract class LargeMatricesContract {

  /** Different rows; a prime, so that they do not repeat in step with anything. */
  private static final int PERIOD = 97;

  private static final double TOLERANCE = 0.03; // of the largest number, also for bf16
  private static final int COLUMNS = 300;

  private final long boundary;
  private Engine engine;

  /** For subclasses. */
  protected LargeMatricesContract() {
    this(1L << 31);
  }

  /**
   * For the test of these tests.
   *
   * @param boundary of which matrices have more numbers
   */
  protected LargeMatricesContract(long boundary) {
    this.boundary = boundary;
  }

  /**
   * Opens the engine under test.
   *
   * @param precision of its products, one of {@link #precisions}
   * @return a new engine
   */
  protected abstract Engine open(Precision precision);

  /**
   * What the engine under test has.
   *
   * @return all precisions, unless overridden
   */
  protected List<Precision> precisions() {
    return List.of(Precision.values());
  }

  @AfterEach
  void close() {
    if (engine != null) {
      engine.close();
    }
  }

  /**
   * Opens the engine, or skips the test where the device has no room.
   *
   * @param matrices so large, at the same time; bf16 may need as much again for copies
   */
  private void open(Precision precision, int matrices) {
    engine = open(precision);
    EngineMemory memory = engine.memory();
    long bytes = Float.BYTES * boundary * (precision == Precision.BF16 ? 2 : 1) * matrices;
    assumeTrue(
        memory.total() >= bytes + bytes / 16
            && memory.largest() > Float.BYTES * (boundary + boundary / 64),
        () -> "the device has no room for it: " + memory);
  }

  @ParameterizedTest
  @MethodSource("precisions")
  void aWideLayer(Precision precision) {
    open(precision, 1);
    int m = 3;
    int n = PERIOD * (int) (Math.sqrt(boundary) / PERIOD + 1); // its square is large
    Matrices random = new Matrices("wide");
    Matrix few = matrix("few", random.matrix(PERIOD, n), PERIOD, n);
    Matrix x = matrix("x", random.matrix(m, n), m, n);
    float[] errors = random.matrix(m, n);
    Matrix d = matrix("d", errors, m, n);
    Matrix w = repeated("w", few, n);
    Matrix b = engine.allocate("b", 1, n);
    Matrix a = engine.allocate("a", m, n);
    engine.forward(x, w, b, Activation.IDENTITY, a, a);
    Matrix fewA = engine.allocate("few a", m, PERIOD);
    engine.forward(x, few, b.slice(0, 1, PERIOD), Activation.IDENTITY, fewA, fewA);
    float[] expected = read(fewA);
    float[] values = read(a);
    float[] wanted = new float[m * n];
    for (int i = 0; i < wanted.length; i++) {
      wanted[i] = expected[i / n * PERIOD + i % n % PERIOD];
    }
    assertClose("forward", wanted, values);

    engine.propagate(d, w, Activation.IDENTITY, x, a);
    float[] folded = new float[m * PERIOD];
    for (int i = 0; i < errors.length; i++) {
      folded[i / n * PERIOD + i % n % PERIOD] += errors[i];
    }
    Matrix fewE = engine.allocate("few e", m, n);
    engine.propagate(matrix("folded", folded, m, PERIOD), few, Activation.IDENTITY, x, fewE);
    assertClose("propagate", read(fewE), read(a));

    engine.gradients(d, x, w, b);
    float[] inputs = read(x);
    for (int row : new int[] {0, 1, (int) (boundary / n) - 1, (int) (boundary / n), n - 1}) {
      float[] gradient = new float[n];
      for (int j = 0; j < n; j++) {
        for (int i = 0; i < m; i++) {
          gradient[j] += errors[i * n + row] * inputs[i * n + j];
        }
      }
      assertClose("gradients", gradient, read(w.slice((long) row * n, 1, n)));
    }
    float[] sums = new float[n];
    for (int i = 0; i < errors.length; i++) {
      sums[i % n] += errors[i];
    }
    assertClose("bias gradients", sums, read(b));
  }

  @ParameterizedTest
  @MethodSource("precisions")
  void aTallBatch(Precision precision) {
    open(precision, 2);
    int k = 8;
    int n = COLUMNS;
    int repeats = (int) (boundary / n / PERIOD) + 5;
    int m = PERIOD * repeats;
    Matrices random = new Matrices("tall");
    Matrix few = matrix("few x", random.matrix(PERIOD, k), PERIOD, k);
    Matrix x = repeated("x", few, m);
    Matrix w = matrix("w", random.matrix(n, k), n, k);
    Matrix b = matrix("b", random.matrix(1, n), 1, n);
    Matrix fewA = engine.allocate("few a", PERIOD, n);
    Matrix a = engine.allocate("a", m, n);
    engine.forward(few, w, b, Activation.RELU, fewA, fewA);
    engine.forward(x, w, b, Activation.RELU, a, a);
    assertRepeats("forward", fewA, 1, a);
    // The few may have been computed in another precision: a mask must see the same signs.
    engine.copy(a.top(PERIOD), fewA);

    for (int units : new int[] {1, 4}) { // a layer of one unit may have kernels of its own
      Matrix over = matrix("over", random.matrix(units, n), units, n);
      Matrix biases = engine.allocate("biases", 1, units);
      Matrix fewZ = engine.allocate("few z", PERIOD, units);
      Matrix z = engine.allocate("z", m, units);
      engine.forward(fewA, over, biases, Activation.IDENTITY, fewZ, fewZ);
      engine.forward(a, over, biases, Activation.IDENTITY, z, z);
      assertRepeats("forward of " + units, fewZ, 1, z);
      Matrix fewE = engine.allocate("few e", PERIOD, n);
      Matrix e = engine.allocate("e", m, n);
      engine.propagate(fewZ, over, Activation.RELU, fewA, fewE);
      engine.propagate(z, over, Activation.RELU, a, e);
      assertRepeats("propagate from " + units, fewE, 1, e);
      assertGradients("gradients of " + units, fewZ, fewA, z, a, repeats);
      assertGradients("gradients below " + units, fewE, few, e, x, repeats);
      List.of(over, biases, fewZ, z, fewE, e).forEach(Matrix::close);
    }

    Indices rows = engine.allocateIndices("rows", 1, 5, m);
    Cursor first = engine.allocateCursor("first");
    int beyond = (int) (boundary / n);
    int[] numbers = {m - 1, beyond + 1, beyond, 1, 0};
    engine.write(rows, numbers);
    Matrix batch = engine.allocate("batch", numbers.length, n);
    engine.gather(a, rows, first, batch);
    float[] gathered = read(batch);
    float[] original = read(fewA);
    for (int i = 0; i < numbers.length; i++) {
      int from = numbers[i] % PERIOD * n;
      assertClose(
          "gather",
          Arrays.copyOfRange(original, from, from + n),
          Arrays.copyOfRange(gathered, i * n, (i + 1) * n));
    }
    Matrix copy = engine.allocate("copy", m, n);
    engine.copy(a, copy);
    assertRepeats("copy", fewA, 1, copy);
  }

  @ParameterizedTest
  @EnumSource(Output.class)
  void anOutputError(Output output) {
    open(Precision.FP32, 3);
    int n = COLUMNS;
    int repeats = (int) (boundary / n / PERIOD) + 5;
    int m = PERIOD * repeats;
    Matrices random = new Matrices("output error", output);
    Matrix fewZ = matrix("few z", random.matrix(PERIOD, n), PERIOD, n);
    Matrix z = repeated("z", fewZ, m);
    Matrix fewY = matrix("few y", random.targets(output, PERIOD, n), PERIOD, n);
    Matrix y = repeated("y", fewY, m);
    Matrix fewD = engine.allocate("few d", PERIOD, n);
    Matrix d = engine.allocate("d", m, n);
    Matrix losses = engine.allocate("losses", 2, 1);
    Cursor at = engine.allocateCursor("at");
    engine.outputError(output, fewZ, fewY, fewD, losses, at);
    engine.advance(at);
    engine.outputError(output, z, y, d, losses, at);
    float[] loss = read(losses);
    assertEquals(loss[0], loss[1], 0.01 * Math.abs(loss[0]), "loss");
    assertRepeats("output error", fewD, 1.0 / repeats, d);
  }

  @ParameterizedTest
  @MethodSource("precisions")
  void manyParameters(Precision precision) {
    open(precision, 2);
    int n = COLUMNS;
    int lines = PERIOD * ((int) (boundary / 2 / n / PERIOD) + 5); // two rows of state are large
    int p = lines * n;
    Matrices random = new Matrices("many");
    Matrix few = matrix("few", random.matrix(PERIOD, n), PERIOD, n);
    Matrix gradients = matrix("gradients", random.matrix(PERIOD, n), PERIOD, n);
    Matrix theta = repeated("theta", few, lines);
    Matrix g = repeated("g", gradients, lines);
    Matrix schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
    Adam adam = new Adam(0.9f, 0.999f, 1e-8f);
    engine.write(schedule, adam.scalars(1, 0.1, 0.01));
    Cursor at = engine.allocateCursor("at");
    Matrix state = engine.allocate("state", 2, p);
    Matrix fewState = engine.allocate("few states", 2, PERIOD * n);
    for (int step = 0; step < 2; step++) {
      engine.update(adam, theta.slice(0, 1, p), g.slice(0, 1, p), state, schedule, at);
      engine.update(
          adam,
          few.slice(0, 1, PERIOD * n),
          gradients.slice(0, 1, PERIOD * n),
          fewState,
          schedule,
          at);
    }
    assertRepeats("theta", few, 1, theta);
    assertRepeats("m", fewState.slice(0, PERIOD, n), 1, state.slice(0, lines, n));
    assertRepeats("v", fewState.slice(PERIOD * (long) n, PERIOD, n), 1, state.slice(p, lines, n));
  }

  private Matrix matrix(String name, float[] values, int rows, int columns) {
    Matrix matrix = engine.allocate(name, rows, columns);
    engine.write(matrix, values);
    return matrix;
  }

  /** So many rows: those of another matrix, again and again. */
  private Matrix repeated(String name, Matrix few, int count) {
    Indices rows = engine.allocateIndices("rows of " + name, 1, count, few.rows());
    int[] numbers = new int[count];
    Arrays.setAll(numbers, i -> i % few.rows());
    engine.write(rows, numbers);
    Cursor first = engine.allocateCursor("first of " + name);
    Matrix matrix = engine.allocate(name, count, few.columns());
    engine.gather(few, rows, first, matrix);
    engine.finish();
    rows.close();
    first.close();
    return matrix;
  }

  private float[] read(Matrix matrix) {
    float[] values = new float[Math.toIntExact(matrix.size())];
    engine.read(matrix, values);
    return values;
  }

  /** Compares the first rows, the last, and those around the boundary. */
  private void assertRepeats(String what, Matrix few, double factor, Matrix many) {
    int n = many.columns();
    int m = many.rows();
    long middle = Math.min(boundary / n, m / 2) - PERIOD;
    float[] original = read(few);
    float[] wanted = new float[2 * PERIOD * n];
    for (long start : LongStream.of(0, middle, m - 2L * PERIOD).toArray()) {
      for (int i = 0; i < wanted.length; i++) {
        wanted[i] = (float) (factor * original[(int) ((start + i / n) % PERIOD) * n + i % n]);
      }
      assertClose(what + " from row " + start, wanted, read(many.slice(start * n, 2 * PERIOD, n)));
    }
  }

  /** The gradients of repeated rows are those of the rows, as often. */
  private void assertGradients(
      String what, Matrix fewD, Matrix fewA, Matrix d, Matrix a, int repeats) {
    int n = d.columns();
    int k = a.columns();
    Matrix dw = engine.allocate("dw", n, k);
    Matrix db = engine.allocate("db", 1, n);
    engine.gradients(fewD, fewA, dw, db);
    float[] weights = read(dw);
    float[] biases = read(db);
    engine.gradients(d, a, dw, db);
    assertClose(what, times(weights, repeats), read(dw));
    assertClose("bias " + what, times(biases, repeats), read(db));
    dw.close();
    db.close();
  }

  private static float[] times(float[] values, double factor) {
    float[] product = new float[values.length];
    for (int i = 0; i < product.length; i++) {
      product[i] = (float) (factor * values[i]);
    }
    return product;
  }

  private static void assertClose(String what, float[] expected, float[] actual) {
    double bound = TOLERANCE * Matrices.largest(expected);
    for (int i = 0; i < expected.length; i++) {
      int place = i;
      assertTrue(
          Math.abs(expected[i] - actual[i]) <= bound,
          () ->
              "%s: number %d is %g, not %g".formatted(what, place, actual[place], expected[place]));
    }
  }
}

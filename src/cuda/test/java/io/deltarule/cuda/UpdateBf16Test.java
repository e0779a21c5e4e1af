package io.deltarule.cuda;

import static io.deltarule.cuda.KernelRunner.ceil;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The update that writes copies in bf16 gives the bits of an update and the roundings after it. */
@Tag("kernels")
class UpdateBf16Test {
  private static final int THREADS = 256;
  private static final int VECTOR = 4;
  private static final int WORDS = 1 + 32 * 5; // of the table
  private static final int NAN = 0x7fc17fc1; // and two NaN in bf16

  /** A weight matrix among the parameters. */
  private record Weights(int first, int rows, int columns) {

    int size() {
      return rows * columns;
    }

    int pitch() {
      return Copies.pitch(columns);
    }

    int floatsOfCopy() {
      return Copies.pitch(rows) * pitch() / 2;
    }
  }

  /**
   * Parameters.
   *
   * @param shift from a multiple of 16 bytes, in floats
   */
  private record Layout(String name, int p, int shift, List<Weights> weights) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Layout layout(String name, int p, int shift, Weights... weights) {
    return new Layout(name, p, shift, List.of(weights));
  }

  static Stream<Arguments> cases() {
    List<Weights> many = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      many.add(new Weights(13 * i + i % 3, 2, 5));
    }
    return Stream.of(
            layout("rows of vectors", 4000, 0, new Weights(0, 10, 300), new Weights(3100, 9, 8)),
            layout("odd columns", 700, 0, new Weights(0, 3, 131), new Weights(400, 57, 5)),
            layout("one column", 64, 0, new Weights(0, 21, 1), new Weights(32, 1, 1)),
            layout("rows shorter than a vector", 94, 0, new Weights(3, 27, 3)),
            layout(
                "end to end, until the end", 93, 0, new Weights(1, 6, 5), new Weights(31, 31, 2)),
            layout("odd starts", 1100, 0, new Weights(5, 3, 300), new Weights(907, 9, 8)),
            layout("odd memory", 1100, 3, new Weights(2, 3, 300), new Weights(904, 24, 8)),
            layout("several in a vector", 11, 0, new Weights(1, 1, 1), new Weights(2, 1, 1)),
            layout("one number", 1, 1, new Weights(0, 1, 1)),
            layout("a gap at the end", 3000, 0, new Weights(40, 2, 4)),
            new Layout("a full table", 420, 0, many))
        .flatMap(
            layout ->
                Stream.of("update_sgd", "update_momentum", "update_adam")
                    .map(kernel -> Arguments.of(kernel, layout)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void hasTheBitsOfTheSeparateKernels(String kernel, Layout layout) {
    int p = layout.p;
    int room = ceil(p + layout.shift, 8) * 8;
    int schedule = 0; // its second row, of 4 numbers
    int at = 8;
    int gradient = 16 + layout.shift;
    int expectedTheta = gradient + room;
    int theta = expectedTheta + room;
    int expectedState = theta + room;
    int state = expectedState + 2 * room;
    int copies = 16 + 7 * room;
    int floatsOfCopies = layout.weights.stream().mapToInt(Weights::floatsOfCopy).sum();
    int size = copies + 2 * floatsOfCopies;
    try (KernelRunner runner = new KernelRunner(size)) {
      float[] values = new float[size];
      Arrays.fill(values, Float.intBitsToFloat(NAN));
      float[] scalars = {0.01f, 0.001f, 1.25f, 1.5f};
      System.arraycopy(scalars, 0, values, schedule + 4, scalars.length);
      values[at] = Float.intBitsToFloat(1);
      Random random = new Random(p);
      for (int i = 0; i < p; i++) {
        values[gradient + i] = (float) random.nextGaussian();
        values[theta + i] = (float) random.nextGaussian();
      }
      values[theta + layout.weights.get(0).first] = Float.POSITIVE_INFINITY;
      values[gradient + layout.weights.get(layout.weights.size() - 1).first] = Float.NaN;
      for (int i = 0; i < 2 * p; i++) {
        values[state + i] = random.nextFloat();
      }
      System.arraycopy(values, theta, values, expectedTheta, p);
      System.arraycopy(values, state, values, expectedState, 2 * p);
      long block = runner.address();
      runner.write(values);

      launch(
          runner,
          "update",
          kernel,
          update(runner, kernel, p, expectedTheta, gradient, schedule, at, expectedState));
      long[] table = new long[WORDS];
      table[0] = layout.weights.size();
      int word = 1;
      int copy = copies;
      for (Weights w : layout.weights) {
        runner.launch(
            runner.kernel("copies", "round_bf16"),
            ceil(2 * w.floatsOfCopy(), VECTOR * THREADS),
            1,
            THREADS,
            1,
            w.rows,
            w.columns,
            Copies.pitch(w.rows),
            w.pitch(),
            runner.block(),
            (long) expectedTheta + w.first,
            runner.from(copy));
        for (long value :
            new long[] {
              w.first, w.size(), w.columns, w.pitch(), block + 4L * (copy + floatsOfCopies)
            }) {
          table[word++] = value;
        }
        copy += w.floatsOfCopy();
      }
      Arrays.fill(table, word, WORDS, -1);
      List<Object> arguments =
          new ArrayList<>(update(runner, kernel, p, theta, gradient, schedule, at, state));
      arguments.add(table);
      launch(runner, "update_bf16", kernel + "_bf16", arguments);

      float[] results = runner.read();
      assertEquals(bits(results, expectedTheta, room), bits(results, theta, room));
      assertEquals(bits(results, expectedState, 2 * p), bits(results, state, 2 * p));
      copy = copies;
      for (Weights w : layout.weights) {
        for (int i = 0; i < 2 * w.floatsOfCopy(); i++) {
          boolean padding = i % w.pitch() >= w.columns || i / w.pitch() >= w.rows;
          assertEquals(
              padding ? NAN & 0xffff : half(results, copy, i),
              half(results, copy + floatsOfCopies, i),
              w + ", number " + i);
        }
        copy += w.floatsOfCopy();
      }
    }
  }

  private static void launch(
      KernelRunner runner, String module, String kernel, List<Object> arguments) {
    int groups = ceil(((Long) arguments.get(0)).intValue(), VECTOR * THREADS);
    runner.launch(runner.kernel(module, kernel), groups, 1, THREADS, 1, arguments.toArray());
  }

  private static List<Object> update(
      KernelRunner runner,
      String kernel,
      int p,
      int theta,
      int gradient,
      int schedule,
      int at,
      int state) {
    List<Object> arguments =
        new ArrayList<>(
            List.of(
                (long) p,
                runner.block(),
                (long) theta,
                runner.block(),
                (long) gradient,
                runner.block(),
                (long) schedule,
                runner.from(at)));
    if (!kernel.equals("update_sgd")) {
      arguments.addAll(List.of(runner.block(), (long) state, 0.9f));
    }
    if (kernel.equals("update_adam")) {
      arguments.addAll(List.of(0.999f, 1e-8f));
    }
    return arguments;
  }

  private static int half(float[] results, int copy, int i) {
    return Float.floatToRawIntBits(results[copy + i / 2]) >>> 16 * (i % 2) & 0xffff;
  }

  private static List<Integer> bits(float[] results, int from, int count) {
    List<Integer> bits = new ArrayList<>();
    for (int i = from; i < from + count; i++) {
      bits.add(Float.floatToRawIntBits(results[i]));
    }
    return bits;
  }
}

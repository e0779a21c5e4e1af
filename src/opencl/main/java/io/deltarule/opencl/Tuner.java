package io.deltarule.opencl;

import io.deltarule.engine.Activation;
import io.deltarule.engine.EngineException;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Tolerance;
import io.deltarule.random.Philox;
import io.deltarule.reference.Reference;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Searches the fastest tiles for a device. From the standard tile it goes to the first faster
 * neighbour, and on from there, until none is faster or time is up. A candidate is timed only after
 * its three products have been found right.
 */
final class Tuner {
  private static final long SEED = 1;

  /** By how much a candidate must be faster: less is noise. */
  private static final double GAIN = 0.97;

  private static final int SMALL = 64;
  private static final int TALL = 1100; // rows of a batch whose gradients are cut into chunks

  /** Squares of so many rows, and how often. */
  private record Work(int size, int repeats) {}

  private static final List<Work> SMALL_WORK = List.of(new Work(SMALL, 20), new Work(256, 1));

  /** What each of the standard tiles is for. */
  private static final List<List<Work>> WORK_OF_GPU =
      List.of(
          List.of(new Work(2048, 1)),
          List.of(new Work(1024, 2)),
          List.of(new Work(512, 4)),
          SMALL_WORK);

  private static final List<List<Work>> WORK_OF_CPU =
      List.of(List.of(new Work(1024, 1)), SMALL_WORK);

  private final Device device;
  private final CacheFolder cache;
  private final Consumer<String> progress;
  private final Philox random = new Philox(SEED, Philox.Purpose.DATA, 0);

  Tuner(Device device, CacheFolder cache, Consumer<String> progress) {
    this.device = device;
    this.cache = cache;
    this.progress = progress;
  }

  /**
   * Tunes and stores the result.
   *
   * @param seconds how long to search
   * @return what was found, in one line
   */
  String run(double seconds) {
    Tuning start = Tuning.load(cache, device);
    long begin = System.nanoTime();
    progress.accept("tuning " + device);
    // No cache: of hundreds of programs, one will be used again.
    try (OpenClEngine engine = new OpenClEngine(device, start, CacheFolder.none())) {
      List<List<Work>> works = device.cpu() ? WORK_OF_CPU : WORK_OF_GPU;
      int count = works.size();
      List<Tile> tiles = new ArrayList<>();
      StringBuilder found = new StringBuilder();
      for (int i = 0; i < count; i++) {
        String name = "tile %d of %d".formatted(i + 1, count);
        Tile beside = i == count - 1 ? null : start.tiles().get(count - 1);
        Search search = new Search(engine, name, works.get(i), beside);
        tiles.add(
            search.from(start.tiles().get(i), begin + (long) (1e9 * seconds * (i + 1) / count)));
        found.append(i == 0 ? "" : ", ").append(search.describe());
      }
      new Tuning(tiles).store(cache, device);
      return "%s: %s; kept in %s".formatted(device.name(), found, Tuning.file(cache, device));
    } catch (IOException e) {
      throw new EngineException("opencl: the tuning cannot be stored: " + e.getMessage(), e);
    }
  }

  /** One of the tiles, measured by the products that it is for. */
  private final class Search {
    private final OpenClEngine engine;
    private final String name;
    private final List<Work> works;
    private final Tile beside;
    private double first;
    private double fastest;

    /**
     * Nothing tried yet.
     *
     * @param beside the tile of products that are too small for the one that is sought, and of all
     *     for which the engine would not take it; null if it is the last itself
     */
    Search(OpenClEngine engine, String name, List<Work> works, Tile beside) {
      this.engine = engine;
      this.name = name;
      this.works = works;
      this.beside = beside;
    }

    private void use(Tile tile) {
      engine.use(beside == null ? Tuning.of(tile) : Tuning.of(tile, beside));
    }

    Tile from(Tile start, long deadline) {
      Set<Tile> tried = new HashSet<>();
      Tile best = start;
      tried.add(start);
      use(start);
      int most = works.stream().mapToInt(Work::size).max().orElseThrow();
      try (Operands operands = new Operands(most)) {
        first = time(operands, Double.POSITIVE_INFINITY);
        fastest = first;
        report(start);
        boolean improved = true;
        while (improved && System.nanoTime() < deadline) {
          improved = false;
          List<Tile> neighbours = best.neighbours(device);
          int[] order = new int[neighbours.size()];
          for (int i = 0; i < order.length; i++) {
            order[i] = i;
          }
          random.shuffle(order);
          for (int i = 0; i < order.length && !improved && System.nanoTime() < deadline; i++) {
            Tile candidate = neighbours.get(order[i]);
            if (tried.add(candidate) && beats(operands, candidate, best)) {
              best = candidate;
              improved = true;
              report(best);
            }
          }
        }
      }
      return best;
    }

    /** Whether a candidate is right and faster, also when both are measured again. */
    private boolean beats(Operands operands, Tile candidate, Tile best) {
      try {
        use(candidate);
        String wrong = verify(candidate);
        if (wrong != null) {
          progress.accept(name + ": refused, " + wrong + " is wrong: " + candidate.options());
          return false;
        }
        double seconds = time(operands, 1.5 * fastest);
        if (seconds > GAIN * fastest) {
          return false;
        }
        use(best);
        fastest = Math.min(fastest, time(operands, Double.POSITIVE_INFINITY));
        use(candidate);
        seconds = Math.min(seconds, time(operands, Double.POSITIVE_INFINITY));
        if (seconds > GAIN * fastest) {
          return false;
        }
        fastest = seconds;
        return true;
      } catch (EngineException e) {
        progress.accept(name + ": refused, " + e.getMessage().lines().findFirst().orElse(""));
        return false;
      }
    }

    private void report(Tile tile) {
      progress.accept(
          String.format(Locale.ROOT, "%s: %.1f GFLOP/s with %s", name, rate(), tile.options()));
    }

    String describe() {
      return String.format(
          Locale.ROOT, "%s %.1f GFLOP/s (%.2f times the start)", name, rate(), first / fastest);
    }

    private double rate() {
      double flops = 0;
      for (Work work : works) {
        flops += 6 * work.repeats * Math.pow(work.size, 3);
      }
      return flops / fastest * 1e-9;
    }

    /** The fastest of some runs, seconds; given up after the first that takes too long. */
    private double time(Operands operands, double most) {
      operands.run(SMALL, 1); // compiles what is compiled late
      engine.finish();
      double best = Double.POSITIVE_INFINITY;
      double total = 0;
      for (int i = 0; i < 8 && total < 2; i++) {
        long start = System.nanoTime();
        works.forEach(work -> operands.run(work.size, work.repeats));
        engine.finish();
        double seconds = (System.nanoTime() - start) * 1e-9;
        best = Math.min(best, seconds);
        total += seconds;
        if (best > most) {
          break;
        }
      }
      return best;
    }

    /** The name of the first product that is not right, or null. */
    private String verify(Tile tile) {
      int m = 2 * tile.rows() - 1; // whole tiles and edges of others, in each direction
      int n = Math.max(1, 2 * tile.columns() - 3);
      int k = tile.bk() + 7;
      String wrong;
      engine.useFirstAlways(true);
      try {
        wrong = verify(m, n, k);
        if (wrong == null) {
          wrong = verify(tile.rows(), tile.columns() + 1, TALL);
        }
      } finally {
        engine.useFirstAlways(false);
      }
      return wrong == null && beside == null ? verify(m, n, k) : wrong;
    }

    private String verify(int m, int n, int k) {
      float[] left = gaussian(m * k);
      float[] right = gaussian(k * n);
      float[] bias = gaussian(n);
      float[] saved = gaussian(m * n);
      Tolerance tolerance = Tolerance.sum(Precision.FP32, k + 1L, 1);
      List<Matrix> owned = new ArrayList<>();
      try {
        Matrix l = matrix(owned, left, m, k);
        Matrix r = matrix(owned, right, k, n);
        Matrix rTransposed = matrix(owned, right, n, k); // the same numbers, another matrix
        Matrix lTransposed = matrix(owned, left, k, m);
        Matrix b = matrix(owned, bias, 1, n);
        Matrix s = matrix(owned, saved, m, n);
        Matrix result = matrix(owned, new float[m * n], m, n);
        Matrix sums = matrix(owned, new float[m], 1, m);
        engine.forward(l, rTransposed, b, Activation.RELU, result, result);
        double[][] expected =
            Reference.activations(
                Activation.RELU,
                Reference.preActivations(rows(left, m, k), rows(right, n, k), rows(bias, 1, n)[0]));
        if (!close(tolerance, expected, result)) {
          return "forward";
        }
        engine.propagate(l, r, Activation.RELU, s, result);
        expected =
            Reference.propagate(
                rows(left, m, k), rows(right, k, n), Activation.RELU, rows(saved, m, n));
        if (!close(tolerance, expected, result)) {
          return "propagate";
        }
        engine.gradients(lTransposed, r, result, sums);
        double[][] errors = rows(left, k, m);
        expected = Reference.weightGradient(errors, rows(right, k, n), m, n);
        double[][] expectedSums = {Reference.biasGradient(errors, m)};
        return close(tolerance, expected, result) && close(tolerance, expectedSums, sums)
            ? null
            : "gradients";
      } finally {
        owned.forEach(Matrix::close);
      }
    }

    private boolean close(Tolerance tolerance, double[][] expected, Matrix actual) {
      float[] values = new float[(int) actual.size()];
      engine.read(actual, values);
      for (int i = 0; i < values.length; i++) {
        double value = expected[i / actual.columns()][i % actual.columns()];
        if (!tolerance.accepts(values[i], value)) {
          return false;
        }
      }
      return true;
    }

    private Matrix matrix(List<Matrix> owned, float[] values, int rows, int columns) {
      Matrix matrix = engine.allocate("tuning", rows, columns);
      owned.add(matrix);
      engine.write(matrix, values);
      return matrix;
    }

    /** What the timed products compute with: squares, of which a smaller product uses a corner. */
    private final class Operands implements AutoCloseable {
      private final List<Matrix> owned = new ArrayList<>();
      private final Matrix left;
      private final Matrix right;
      private final Matrix result;
      private final Matrix bias;

      Operands(int most) {
        left = matrix(owned, gaussian(most * most), most, most);
        right = matrix(owned, gaussian(most * most), most, most);
        result = matrix(owned, new float[most * most], most, most);
        bias = matrix(owned, gaussian(most), 1, most);
      }

      void run(int n, int times) {
        Matrix l = left.slice(0, n, n);
        Matrix r = right.slice(0, n, n);
        Matrix to = result.slice(0, n, n);
        Matrix b = bias.slice(0, 1, n);
        for (int i = 0; i < times; i++) {
          engine.forward(l, r, b, Activation.RELU, to, to);
          engine.propagate(l, r, Activation.RELU, l, to);
          engine.gradients(l, r, to, b);
        }
      }

      @Override
      public void close() {
        owned.forEach(Matrix::close);
      }
    }
  }

  private float[] gaussian(int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static double[][] rows(float[] values, int rows, int columns) {
    double[][] matrix = new double[rows][columns];
    for (int i = 0; i < values.length; i++) {
      matrix[i / columns][i % columns] = values[i];
    }
    return matrix;
  }
}

package io.deltarule.bench;

import java.util.SplittableRandom;

/** Measures the matrix products of one library. */
final class ProductMeasurement {
  private ProductMeasurement() {}

  /**
   * Runs the measurement.
   *
   * @param arguments class of the multiplier, threads, seconds of the warm-up before the first
   *     product, seconds of all repeats of a product (and of its own warm-up), repeats, then the
   *     products, such as {@code NT:256x784x1024} for m, k and n
   */
  public static void main(String[] arguments) throws ReflectiveOperationException {
    Class<?> type = Class.forName("io.deltarule.bench." + arguments[0]);
    double warmUp = Double.parseDouble(arguments[2]);
    double seconds = Double.parseDouble(arguments[3]);
    int repeats = Integer.parseInt(arguments[4]);
    try (Multiplier multiplier = (Multiplier) type.getDeclaredConstructor().newInstance()) {
      multiplier.use(Integer.parseInt(arguments[1]));
      for (int i = 5; i < arguments.length; i++) {
        String[] parts = arguments[i].split("[:x]");
        int m = Integer.parseInt(parts[1]);
        int k = Integer.parseInt(parts[2]);
        int n = Integer.parseInt(parts[3]);
        Multiplier.Order order = Multiplier.Order.valueOf(parts[0]);
        Runnable product = multiplier.product(order, random(m * k), random(k * n), m, n, k);
        double[] times = Timing.seconds(count -> repeat(product, count), warmUp, seconds, repeats);
        Results.print(arguments[i], times);
        warmUp = seconds;
      }
      Results.print("version", multiplier.version());
    }
    System.exit(0); // as StepMeasurement does
  }

  private static void repeat(Runnable product, int count) {
    for (int i = 0; i < count; i++) {
      product.run();
    }
  }

  private static float[] random(int length) {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) (2 * random.nextDouble() - 1);
    }
    return values;
  }
}

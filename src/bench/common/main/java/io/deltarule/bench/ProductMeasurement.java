package io.deltarule.bench;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** Measures the matrix products of one library. */
final class ProductMeasurement {
  private ProductMeasurement() {}

  /**
   * Runs the measurement.
   *
   * @param arguments class of the multiplier, threads, seconds of the warm-up with the first
   *     product, seconds of the others' and of a turn with each, then the products, such as {@code
   *     NT:256x784x1024} for m, k and n
   */
  public static void main(String[] arguments) throws ReflectiveOperationException, IOException {
    Class<?> type = Class.forName("io.deltarule.bench." + arguments[0]);
    double warmUp = Double.parseDouble(arguments[2]);
    double others = Double.parseDouble(arguments[3]);
    double seconds = Double.parseDouble(arguments[4]);
    try (Multiplier multiplier = (Multiplier) type.getDeclaredConstructor().newInstance()) {
      multiplier.use(Integer.parseInt(arguments[1]));
      Map<String, Timing> timings = new LinkedHashMap<>();
      for (int i = 5; i < arguments.length; i++) {
        String[] parts = arguments[i].split("[:x]");
        int m = Integer.parseInt(parts[1]);
        int k = Integer.parseInt(parts[2]);
        int n = Integer.parseInt(parts[3]);
        Multiplier.Order order = Multiplier.Order.valueOf(parts[0]);
        Runnable product = multiplier.product(order, random(m * k), random(k * n), m, n, k);
        timings.put(arguments[i], new Timing(count -> repeat(product, count), warmUp, seconds));
        warmUp = others;
      }
      Results.print("version", multiplier.version());
      Turns.take(name -> Results.print(name, timings.get(name).repeat()));
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

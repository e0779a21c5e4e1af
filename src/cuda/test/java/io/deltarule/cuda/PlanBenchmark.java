package io.deltarule.cuda;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * The time of a recorded training step by each of the ways to launch it, from which the limits in
 * {@link Products.Rule} and {@link FusedStep} come. Arguments such as 30-64-32-1:32, a stack and
 * its batch; some by default. In a bundle: {@code jre/bin/java -cp "lib/*:test/*"
 * io.deltarule.cuda.PlanBenchmark}.
 */
final class PlanBenchmark {
  private static final String[] CASES = {
    "8-16-1:16",
    "30-64-32-1:32",
    "30-64-32-1:64",
    "30-64-32-1:512",
    "28-100-100-1:32",
    "28-100-100-1:100",
    "784-128-10:100",
    "28-300-300-300-300-300-1:100",
    "28-300-300-300-300-300-1:256",
    "784-256-256-10:100",
    "100-512-512-10:128",
    "784-1024-1024-1:64",
    "784-1024-1024-1:256",
  };
  private static final int STEPS = 64; // of a repeat
  private static final int REPEATS = 21;

  private PlanBenchmark() {}

  /** Prints a line for each case: medians in microseconds. */
  public static void main(String[] arguments) {
    Device card = Devices.find().choose("");
    boolean blas = CublasLoader.load().library().isPresent();
    Products.Rule all = new Products.Rule(Long.MAX_VALUE, Integer.MAX_VALUE);
    Products.Rule none = new Products.Rule(0, 0);
    // Without cooperative launches and shared memory no step is one kernel.
    Device single =
        new Device(
            card.id(),
            card.name(),
            card.driver(),
            card.capability(),
            card.multiprocessors(),
            false,
            0,
            card.bytes());
    System.out.println(card + "; " + CublasLoader.load().describe());
    System.out.printf(
        "%-34s %12s %12s %12s %12s %12s%n",
        "us a step", "as chosen", "own kernels", "cuBLAS fp32", "tf32", "bf16");
    // The first engine keeps the card's context for those that follow.
    try (Engine first = new CudaEngine(card, Precision.FP32, blas, Products.Rule.DEFAULT)) {
      for (String stack : arguments.length > 0 ? arguments : CASES) {
        System.out.printf(
            Locale.ROOT,
            "%-34s %12.1f %12.1f",
            stack,
            microseconds(first, stack),
            microseconds(() -> new CudaEngine(single, Precision.FP32, false, all), stack));
        for (Precision precision : blas ? Precision.values() : new Precision[0]) {
          System.out.printf(
              Locale.ROOT,
              " %12.1f",
              microseconds(() -> new CudaEngine(single, precision, true, none), stack));
        }
        System.out.println();
      }
    }
  }

  private static double microseconds(Supplier<Engine> opening, String stack) {
    try (Engine engine = opening.get()) {
      return microseconds(engine, stack);
    }
  }

  /** The median of a step's times. */
  private static double microseconds(Engine engine, String stack) {
    String[] parts = stack.split(":");
    List<Integer> widths =
        new ArrayList<>(Stream.of(parts[0].split("-")).map(Integer::valueOf).toList());
    int inputs = widths.remove(0);
    int outputs = widths.remove(widths.size() - 1);
    Network network = new Network(inputs, widths, Activation.RELU, outputs, Output.SIGMOID);
    double[] times = new double[REPEATS];
    try (TrainingStep step =
            new TrainingStep(
                engine, network, Integer.parseInt(parts[1]), STEPS, new UpdateRule.Sgd());
        Recording recording = engine.record(step::call, step.scratch())) {
      for (int i = 0; i < REPEATS; i++) {
        engine.finish();
        long from = System.nanoTime();
        step.run(recording, STEPS);
        engine.finish();
        times[i] = (System.nanoTime() - from) * 1e-3 / STEPS;
      }
    }
    Arrays.sort(times);
    return times[REPEATS / 2];
  }
}

package io.deltarule.app;

import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.random.Philox;
import io.deltarule.training.Resources;
import io.deltarule.training.Samples;
import io.deltarule.training.Stack;
import io.deltarule.training.TrainingSteps;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A training step on random data that is kept on the engine, whole and in phases. */
final class StepBenchmark implements AutoCloseable {
  private static final int BATCHES = 16; // the rows of so many batches are gathered in turn

  private final Engine engine;
  private final Resources resources = new Resources();
  private final List<Phase> phases = new ArrayList<>();
  private Cursor cursor; // the batch; only the whole step moves it

  /**
   * A part of the step.
   *
   * @param name for people
   * @param operations floating-point operations of its matrix products, 0 if it has none
   * @param run to be timed
   */
  record Phase(String name, double operations, Recording run) {}

  /**
   * Seconds for one run.
   *
   * @param median of the repeats
   * @param fastest of the repeats
   * @param slowest of the repeats
   */
  record Timing(double median, double fastest, double slowest) {}

  StepBenchmark(Engine engine, Network network, int batch, UpdateRule rule, double decay) {
    this.engine = engine;
    try {
      prepare(network, batch, rule, decay);
    } catch (RuntimeException | Error e) {
      resources.closeAfter(e);
      throw e;
    }
  }

  private void prepare(Network network, int batch, UpdateRule rule, double decay) {
    int rows = (int) Math.min((long) BATCHES * batch, Integer.MAX_VALUE); // too many are refused
    Samples samples = RandomSamples.of(network, rows, 1);
    Matrix features = resources.own(engine.allocate("features", rows, network.inputs()));
    Matrix targets = resources.own(engine.allocate("targets", rows, network.outputs()));
    engine.write(features, samples.features());
    engine.write(targets, samples.targets());
    int[] order = new int[rows];
    Arrays.setAll(order, i -> i);
    new Philox(1, Philox.Purpose.SHUFFLE, 0).shuffle(order);
    Indices lists = resources.own(engine.allocateIndices("order", BATCHES, batch, rows));
    engine.write(lists, order);

    Stack stack = resources.own(new Stack(engine, network));
    stack.write(Parameters.initialise(network, 1));
    Matrix x = resources.own(engine.allocate("batch", batch, network.inputs()));
    Matrix y = resources.own(engine.allocate("batch targets", batch, network.outputs()));
    TrainingSteps steps = resources.own(new TrainingSteps(engine, stack, rule, batch, BATCHES));
    // A small rate: the weights stay where they are, and so does the work.
    steps.begin(i -> rule.scalars(i + 1, 1e-6, decay));
    cursor = steps.cursor();

    Runnable gather =
        () -> {
          engine.gather(features, lists, cursor, x);
          engine.gather(targets, lists, cursor, y);
        };
    double products = 2.0 * batch * weights(network, 0);
    double propagation = 2.0 * batch * weights(network, 1);
    add("gather", 0, gather);
    Stack.Pass pass = steps.pass();
    add("forward", products, () -> pass.forward(x));
    add("output error", 0, () -> pass.outputError(y, steps.losses(), cursor));
    add("error propagation", propagation, pass::propagate);
    add("gradients", products, () -> pass.gradients(x));
    add("update", 0, steps::update);
    add(
        "whole step",
        2 * products + propagation,
        () -> {
          gather.run();
          steps.call(x, y);
        },
        steps.scratch(x)); // as the trainer records it
    // Every phase starts from what the ones before it have computed.
    phases.forEach(this::run);
  }

  private static double weights(Network network, int fromLayer) {
    double sum = 0;
    for (int l = fromLayer; l < network.layers(); l++) {
      sum += (double) network.units(l) * network.inputs(l);
    }
    return sum;
  }

  private void add(String name, double operations, Runnable calls) {
    add(name, operations, calls, List.of());
  }

  private void add(String name, double operations, Runnable calls, List<Matrix> scratch) {
    phases.add(new Phase(name, operations, resources.own(engine.record(calls, scratch))));
  }

  private void run(Phase phase) {
    if (cursor.position() == BATCHES) {
      engine.set(cursor, 0);
    }
    phase.run.run();
  }

  List<Phase> phases() {
    return phases;
  }

  /**
   * Times a phase: warms up, then repeats. A repeat runs the phase so often that the clock and the
   * waiting for the device do not count.
   *
   * @param phase to run
   * @param seconds for the warm-up, and for all repeats together
   * @param repeats how many
   * @return the time of one run
   */
  Timing time(Phase phase, double seconds, int repeats) {
    long runs = 0;
    long start = System.nanoTime();
    double spent;
    do {
      run(phase);
      engine.finish();
      runs++;
      spent = (System.nanoTime() - start) * 1e-9;
    } while (spent < seconds);
    int inner = (int) Math.max(1, runs * seconds / spent / repeats);
    double[] times = new double[repeats];
    for (int r = 0; r < repeats; r++) {
      long from = System.nanoTime();
      for (int i = 0; i < inner; i++) {
        run(phase);
      }
      engine.finish();
      times[r] = (System.nanoTime() - from) * 1e-9 / inner;
    }
    Arrays.sort(times);
    return new Timing(times[repeats / 2], times[0], times[repeats - 1]);
  }

  @Override
  public void close() {
    resources.close();
  }
}

package io.deltarule.cuda;

import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Stack;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A training step as the trainer records it, on random data, for so many steps in a row. */
final class TrainingStep implements AutoCloseable {
  private final Engine engine;
  private final Network network;
  private final int steps;
  private final UpdateRule rule;
  private final Stack stack;
  private final Matrix features;
  private final Matrix targets;
  private final Indices rows;
  private final Matrix x;
  private final Matrix y;
  private final Matrix losses;
  private final Matrix schedule;
  private final Matrix state;
  private final Cursor cursor;
  private final Stack.Pass pass;

  TrainingStep(Engine engine, Network network, int batch, int steps, UpdateRule rule) {
    this.engine = engine;
    this.network = network;
    this.steps = steps;
    this.rule = rule;
    stack = new Stack(engine, network);
    features = engine.allocate("features", batch, network.inputs());
    targets = engine.allocate("targets", batch, network.outputs());
    rows = engine.allocateIndices("rows", steps, batch, batch);
    x = engine.allocate("x", batch, network.inputs());
    y = engine.allocate("y", batch, network.outputs());
    losses = engine.allocate("losses", steps, 1);
    schedule = engine.allocate("schedule", steps, UpdateRule.SCALARS);
    state = engine.allocate("state", rule.stateRows(), stack.theta().columns());
    cursor = engine.allocateCursor("step");
    pass = stack.pass(batch).forTraining();
    Random random = new Random(1);
    engine.write(features, normal(random, batch * network.inputs()));
    engine.write(targets, normal(random, batch * network.outputs()));
    engine.write(rows, random.ints((long) steps * batch, 0, batch).toArray());
    float[] scalars = new float[steps * UpdateRule.SCALARS];
    for (int step = 0; step < steps; step++) {
      float[] row = rule.scalars(step + 1, 0.01, 0.01);
      System.arraycopy(row, 0, scalars, step * row.length, row.length);
    }
    engine.write(schedule, scalars);
    stack.write(Parameters.initialise(network, 1));
  }

  private static float[] normal(Random random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  void call() {
    engine.gather(features, rows, cursor, x);
    engine.gather(targets, rows, cursor, y);
    pass.forward(x);
    pass.backward(x, y, losses, cursor);
    engine.update(rule, stack.theta(), stack.gradient(), state, schedule, cursor);
    engine.advance(cursor);
  }

  /** What nobody reads after a step. */
  List<Matrix> scratch() {
    return pass.scratch(x);
  }

  /** All parameters. */
  Matrix theta() {
    return stack.theta();
  }

  List<float[]> scratchNumbers() {
    List<float[]> numbers = new ArrayList<>();
    for (Matrix matrix : scratch()) {
      float[] values = new float[(int) matrix.size()];
      engine.read(matrix, values);
      numbers.add(values);
    }
    return numbers;
  }

  /** All steps. */
  void run(Runnable step) {
    engine.set(cursor, 0);
    for (int i = 0; i < steps; i++) {
      step.run();
    }
  }

  /** So many steps at once. */
  void run(Recording recording, int times) {
    engine.set(cursor, 0);
    recording.run(times);
  }

  /** Theta after all steps from the same start. */
  float[] parametersAfter(Runnable step) {
    return thetaAfter(() -> run(step));
  }

  float[] parametersAfter(Recording recording, int times) {
    return thetaAfter(() -> run(recording, times));
  }

  private float[] thetaAfter(Runnable allSteps) {
    stack.write(Parameters.initialise(network, 1));
    engine.write(state, new float[state.rows() * state.columns()]);
    allSteps.run();
    float[] theta = new float[stack.theta().columns()];
    engine.read(stack.theta(), theta);
    return theta;
  }

  @Override
  public void close() {
    List.of(cursor, state, schedule, losses, y, x, rows, targets, features, stack)
        .forEach(TrainingStep::close);
  }

  private static void close(AutoCloseable resource) {
    try {
      resource.close();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}

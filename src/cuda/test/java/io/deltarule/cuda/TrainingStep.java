package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Resources;
import io.deltarule.training.Stack;
import io.deltarule.training.TrainingSteps;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A training step as the trainer records it, on random data, for so many steps in a row. */
final class TrainingStep implements AutoCloseable {
  private final Engine engine;
  private final Network network;
  private final Resources resources = new Resources();
  private final Stack stack;
  private final Matrix features;
  private final Matrix targets;
  private final Indices rows;
  private final Matrix x;
  private final Matrix y;
  private final TrainingSteps steps;

  TrainingStep(Engine engine, Network network, int batch, int count, UpdateRule rule) {
    this.engine = engine;
    this.network = network;
    stack = resources.own(new Stack(engine, network));
    features = resources.own(engine.allocate("features", batch, network.inputs()));
    targets = resources.own(engine.allocate("targets", batch, network.outputs()));
    rows = resources.own(engine.allocateIndices("rows", count, batch, batch));
    x = resources.own(engine.allocate("x", batch, network.inputs()));
    y = resources.own(engine.allocate("y", batch, network.outputs()));
    steps = resources.own(new TrainingSteps(engine, stack, rule, batch, count));
    Random random = new Random(1);
    engine.write(features, normal(random, batch * network.inputs()));
    engine.write(targets, normal(random, batch * network.outputs()));
    engine.write(rows, random.ints((long) count * batch, 0, batch).toArray());
    steps.begin(i -> rule.scalars(i + 1, 0.01, 0.01));
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
    engine.gather(features, rows, steps.cursor(), x);
    engine.gather(targets, rows, steps.cursor(), y);
    steps.call(x, y);
  }

  /** The same calls, each only when it is needed. */
  void callInAnotherOrder() {
    Stack.Pass pass = steps.pass();
    engine.gather(features, rows, steps.cursor(), x);
    pass.forward(x);
    engine.gather(targets, rows, steps.cursor(), y);
    pass.outputError(y, steps.losses(), steps.cursor());
    pass.propagate();
    pass.gradients(x);
    steps.update();
    engine.advance(steps.cursor());
  }

  /** What nobody reads after a step. */
  List<Matrix> scratch() {
    return steps.scratch(x);
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
    steps.restart();
    for (int i = 0; i < steps.count(); i++) {
      step.run();
    }
  }

  /** So many steps at once. */
  void run(Recording recording, int times) {
    steps.restart();
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
    engine.write(steps.state(), new float[(int) steps.state().size()]);
    allSteps.run();
    float[] theta = new float[stack.theta().columns()];
    engine.read(stack.theta(), theta);
    return theta;
  }

  @Override
  public void close() {
    resources.close();
  }
}

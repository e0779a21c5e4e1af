package io.deltarule.bench;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Stack;
import java.util.Arrays;
import java.util.stream.IntStream;

/** The host engine. Its step also gathers the rows of the batch, as the trainer does. */
final class DeltarulePeer implements Peer {
  private Engine engine;
  private UpdateRule rule;
  private double rate;
  private Stack stack;
  private Matrix schedule; // [BATCHES x SCALARS]
  private Matrix losses; // [BATCHES x 1]
  private Cursor cursor;
  private Recording step;
  private long steps;
  private int last;

  @Override
  public String version() {
    return "Deltarule, " + engine.description().device();
  }

  @Override
  public void prepare(Task task) {
    engine = Engines.choose("host", EngineOptions.DEFAULT.withThreads(task.threads())).engine();
    rule =
        task.rule() == Rule.SGD ? new UpdateRule.Sgd() : new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);
    rate = task.rate();
    var hidden = Arrays.stream(task.widths(), 1, task.layers()).boxed().toList();
    var output = task.outputs() == 1 ? Output.SIGMOID : Output.SOFTMAX;
    var network = new Network(task.widths()[0], hidden, Activation.RELU, task.outputs(), output);
    var biases = new float[task.layers()][];
    for (int l = 0; l < biases.length; l++) {
      biases[l] = new float[network.units(l)];
    }
    stack = new Stack(engine, network);
    stack.write(new Parameters(network, task.weights(), biases));

    int rows = Task.BATCHES * task.batch();
    Matrix features = matrix("features", rows, network.inputs(), task.features());
    Matrix targets = matrix("targets", rows, task.outputs(), task.targets());
    Indices order = engine.allocateIndices("order", Task.BATCHES, task.batch(), rows);
    engine.write(order, IntStream.range(0, rows).toArray());
    Matrix x = engine.allocate("batch", task.batch(), network.inputs());
    Matrix y = engine.allocate("batch targets", task.batch(), task.outputs());
    Matrix state = engine.allocate("state", rule.stateRows(), stack.theta().columns());
    schedule = engine.allocate("schedule", Task.BATCHES, UpdateRule.SCALARS);
    losses = engine.allocate("losses", Task.BATCHES, 1);
    cursor = engine.allocateCursor("step");
    Stack.Pass pass = stack.pass(task.batch()).forTraining();
    step =
        engine.record(
            () -> {
              engine.gather(features, order, cursor, x);
              engine.gather(targets, order, cursor, y);
              pass.forward(x);
              pass.backward(x, y, losses, cursor);
              engine.update(rule, stack.theta(), stack.gradient(), state, schedule, cursor);
              engine.advance(cursor);
            });
  }

  private Matrix matrix(String name, int rows, int columns, float[][] batches) {
    float[] values = new float[rows * columns];
    for (int b = 0; b < batches.length; b++) {
      System.arraycopy(batches[b], 0, values, b * batches[b].length, batches[b].length);
    }
    Matrix matrix = engine.allocate(name, rows, columns);
    engine.write(matrix, values);
    return matrix;
  }

  @Override
  public void step(int batch) {
    if (batch == 0) {
      writeSchedule();
      engine.set(cursor, 0);
    }
    step.run();
    last = batch;
  }

  private void writeSchedule() {
    float[] scalars = new float[Task.BATCHES * UpdateRule.SCALARS];
    for (int b = 0; b < Task.BATCHES; b++) {
      float[] row = rule.scalars(++steps, rate, 0);
      System.arraycopy(row, 0, scalars, b * row.length, row.length);
    }
    engine.write(schedule, scalars);
  }

  @Override
  public float loss() {
    float[] values = new float[Task.BATCHES];
    engine.read(losses, values);
    return values[last];
  }

  @Override
  public void close() {
    engine.close(); // frees all that it has allocated
  }
}

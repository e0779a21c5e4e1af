package io.deltarule.engine;

import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.reference.Reference;
import io.deltarule.reference.ReferenceNetwork;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * A whole training run by the engine's calls alone, and the same by the reference. All batches are
 * drawn before: list t of the indices is the batch of step t.
 */
final class Trainee implements AutoCloseable {

  /** What to train, on which data. */
  record Task(Network network, UpdateRule rule, double rate, int samples, int batch, int steps) {

    float[] inputs() {
      return new Matrices(this, "inputs").matrix(samples, network.inputs());
    }

    /** Targets that can be learnt: the largest, the sign or the sum of some inputs. */
    float[] targets() {
      float[] x = inputs();
      int n = network.outputs();
      float[] y = new float[samples * n];
      for (int i = 0; i < samples; i++) {
        int largest = 0;
        for (int j = 0; j < n; j++) {
          float value = x[i * network.inputs() + j % network.inputs()] * (j < n / 2 ? -1 : 1);
          y[i * n + j] = value;
          largest = value > y[i * n + largest] ? j : largest;
        }
        for (int j = 0; j < n; j++) {
          y[i * n + j] =
              switch (network.output()) {
                case SIGMOID -> y[i * n + j] > 0 ? 1 : 0;
                case SOFTMAX -> j == largest ? 1 : 0;
                case LINEAR -> y[i * n + j];
              };
        }
      }
      return y;
    }

    int[] lists() {
      return new Matrices(this, "lists").rows(steps * batch, samples);
    }

    /** A rate that falls, and some decay. */
    float[] scalars(int step) {
      return rule.scalars(step + 1, rate / (1 + 0.01 * step), 0.01);
    }

    Parameters parameters() {
      return Parameters.initialise(network, Matrices.SEED);
    }
  }

  private final Engine engine;
  private final Task task;
  private final long allocatedBefore;
  private final int[] weightOffsets;
  private final int[] biasOffsets;
  final Matrix theta; // [1 x p], every W and b at a multiple of ALIGNMENT
  final Matrix gradient; // [1 x p]
  final Matrix state; // [state rows x p]
  final Matrix losses; // [steps x 1]
  final Cursor step;
  private final Matrix schedule; // [steps x 4]
  private final Matrix data; // [samples x inputs]
  private final Matrix labels; // [samples x outputs]
  private final Indices lists; // [steps x batch]
  private final Matrix x; // [batch x inputs]
  private final Matrix y; // [batch x outputs]
  private final Matrix[] saved; // [batch x n(l)]
  private final Matrix[] a;
  private final Matrix[] d;

  Trainee(Engine engine, Task task) {
    this.engine = engine;
    this.task = task;
    this.allocatedBefore = engine.allocatedBytes();
    Network network = task.network;
    int layers = network.layers();
    weightOffsets = new int[layers];
    biasOffsets = new int[layers];
    int size = 0;
    for (int l = 0; l < layers; l++) {
      weightOffsets[l] = size;
      size = aligned(size + network.units(l) * network.inputs(l));
      biasOffsets[l] = size;
      size = aligned(size + network.units(l));
    }
    float[] block = new float[size];
    Parameters parameters = task.parameters();
    for (int l = 0; l < layers; l++) {
      float[] w = parameters.weights()[l];
      System.arraycopy(w, 0, block, weightOffsets[l], w.length);
    }
    theta = written("theta", block, 1, size);
    gradient = engine.allocate("gradient", 1, size);
    state = engine.allocate("state", task.rule.stateRows(), size);
    losses = engine.allocate("losses", task.steps, 1);
    step = engine.allocateCursor("step");
    float[] scalars = new float[task.steps * UpdateRule.SCALARS];
    for (int t = 0; t < task.steps; t++) {
      System.arraycopy(task.scalars(t), 0, scalars, t * UpdateRule.SCALARS, UpdateRule.SCALARS);
    }
    schedule = written("schedule", scalars, task.steps, UpdateRule.SCALARS);
    data = written("data", task.inputs(), task.samples, network.inputs());
    labels = written("labels", task.targets(), task.samples, network.outputs());
    lists = engine.allocateIndices("lists", task.steps, task.batch, task.samples);
    engine.write(lists, task.lists());
    x = engine.allocate("X", task.batch, network.inputs());
    y = engine.allocate("Y", task.batch, network.outputs());
    saved = new Matrix[layers];
    a = new Matrix[layers];
    d = new Matrix[layers];
    for (int l = 0; l < layers; l++) {
      a[l] = engine.allocate("A" + l, task.batch, network.units(l));
      d[l] = engine.allocate("D" + l, task.batch, network.units(l));
      boolean own = l < layers - 1 && network.activation().savesInput();
      saved[l] = own ? engine.allocate("Z" + l, task.batch, network.units(l)) : a[l];
    }
  }

  private static int aligned(int offset) {
    return (offset + Engine.ALIGNMENT - 1) / Engine.ALIGNMENT * Engine.ALIGNMENT;
  }

  private Matrix written(String name, float[] values, int rows, int columns) {
    Matrix matrix = engine.allocate(name, rows, columns);
    engine.write(matrix, values);
    return matrix;
  }

  private Matrix weights(Matrix block, int l) {
    return block.slice(weightOffsets[l], task.network.units(l), task.network.inputs(l));
  }

  private Matrix biases(Matrix block, int l) {
    return block.slice(biasOffsets[l], 1, task.network.units(l));
  }

  /** What a step computes on its way. */
  List<Matrix> scratch() {
    return Stream.of(Stream.of(x), Stream.of(saved), Stream.of(a), Stream.of(d))
        .flatMap(matrices -> matrices)
        .toList();
  }

  /** One step on the first m rows of its list, in the order in which the trainer calls. */
  void step(int m) {
    int top = task.network.layers() - 1;
    forward(m);
    for (int l = top; l > 0; l--) {
      propagate(l, m);
    }
    for (int l = 0; l <= top; l++) {
      gradients(l, m);
    }
    update();
  }

  /** Likewise, but the gradients of a layer before the error signal of the layer below. */
  void interleavedStep(int m) {
    int top = task.network.layers() - 1;
    forward(m);
    for (int l = top; l > 0; l--) {
      gradients(l, m);
      propagate(l, m);
    }
    gradients(0, m);
    update();
  }

  /** Up to the error signal of the output layer. */
  private void forward(int m) {
    Network network = task.network;
    int top = network.layers() - 1;
    engine.gather(data, lists, step, x.top(m));
    engine.gather(labels, lists, step, y.top(m));
    Matrix below = x.top(m);
    for (int l = 0; l <= top; l++) {
      Activation f = l == top ? Activation.IDENTITY : network.activation();
      Matrix w = weights(theta, l);
      engine.forward(below, w, biases(theta, l), f, saved[l].top(m), a[l].top(m));
      below = a[l].top(m);
    }
    engine.outputError(network.output(), below, y.top(m), d[top].top(m), losses, step);
  }

  /** The error signal of the layer below. */
  private void propagate(int l, int m) {
    Matrix error = d[l - 1].top(m);
    Activation f = task.network.activation();
    engine.propagate(d[l].top(m), weights(theta, l), f, saved[l - 1].top(m), error);
  }

  private void gradients(int l, int m) {
    Matrix inputs = l == 0 ? x.top(m) : a[l - 1].top(m);
    engine.gradients(d[l].top(m), inputs, weights(gradient, l), biases(gradient, l));
  }

  private void update() {
    engine.update(task.rule, theta, gradient, state, schedule, step);
    engine.advance(step);
  }

  float[] read(Matrix matrix) {
    float[] values = new float[(int) matrix.size()];
    engine.read(matrix, values);
    return values;
  }

  float[] weights(int l) {
    return read(weights(theta, l));
  }

  float[] biases(int l) {
    return read(biases(theta, l));
  }

  /** The reference's losses of the first steps; the network is trained by them. */
  static double[] losses(Task task, ReferenceNetwork network, int steps) {
    double[][] x = Matrices.rows(task.inputs(), task.samples, task.network.inputs());
    double[][] y = Matrices.rows(task.targets(), task.samples, task.network.outputs());
    int[] lists = task.lists();
    double[] losses = new double[steps];
    for (int t = 0; t < steps; t++) {
      int[] list = Arrays.copyOfRange(lists, t * task.batch, (t + 1) * task.batch);
      ReferenceNetwork.Gradients gradients =
          network.backpropagate(
              Reference.gather(x, list, task.batch), Reference.gather(y, list, task.batch));
      losses[t] = gradients.loss();
      network.update(task.rule, gradients, task.scalars(t));
    }
    return losses;
  }

  @Override
  public void close() {
    for (Matrix matrix :
        new Matrix[] {theta, gradient, state, losses, schedule, data, labels, x, y}) {
      matrix.close();
    }
    for (int l = 0; l < a.length; l++) {
      a[l].close();
      d[l].close();
      saved[l].close();
    }
    lists.close();
    step.close();
    if (engine.allocatedBytes() != allocatedBefore) {
      throw new AssertionError("closing the matrices has not freed all of their memory");
    }
  }
}

package io.deltarule.bench;

import java.util.ArrayList;
import java.util.List;
import org.tensorflow.Graph;
import org.tensorflow.Operand;
import org.tensorflow.Session;
import org.tensorflow.TensorFlow;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.op.Op;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Gradients;
import org.tensorflow.op.core.Placeholder;
import org.tensorflow.op.core.Variable;
import org.tensorflow.proto.ConfigProto;
import org.tensorflow.types.TFloat32;

/** TensorFlow's graph, which computes a step in one run of a session. */
final class TensorFlowPeer implements Peer {
  private final Graph graph = new Graph();
  private final Ops tf = Ops.create(graph);
  private final List<Variable<TFloat32>> parameters = new ArrayList<>();
  private final List<Op> initial = new ArrayList<>();
  private final TFloat32[] features = new TFloat32[Task.BATCHES];
  private final TFloat32[] targets = new TFloat32[Task.BATCHES];
  private Session session;
  private Placeholder<TFloat32> x;
  private Placeholder<TFloat32> y;
  private Operand<TFloat32> mean;
  private List<Op> updates;
  private float loss;

  @Override
  public String version() {
    return "TensorFlow " + TensorFlow.version();
  }

  @Override
  public void prepare(Task task) {
    x = tf.placeholder(TFloat32.class);
    y = tf.placeholder(TFloat32.class);
    Operand<TFloat32> a = x;
    for (int l = 0; l < task.layers(); l++) {
      Shape shape = Shape.of(task.widths()[l], task.widths()[l + 1]);
      Variable<TFloat32> w = variable(tensor(task.transposedWeights(l), shape));
      Variable<TFloat32> b = variable(zeros(Shape.of(task.widths()[l + 1])));
      a = tf.nn.biasAdd(tf.linalg.matMul(a, w), b);
      a = l < task.layers() - 1 ? tf.nn.relu(a) : a;
    }
    Operand<TFloat32> losses = task.outputs() == 1 ? sigmoidLosses(a) : softmaxLosses(a);
    mean = tf.math.mean(losses, tf.constant(new int[] {0}));
    updates = updates(task);
    for (int b = 0; b < Task.BATCHES; b++) {
      features[b] = tensor(task.features()[b], Shape.of(task.batch(), task.widths()[0]));
      targets[b] = tensor(task.targets()[b], Shape.of(task.batch(), task.outputs()));
    }
    ConfigProto config =
        ConfigProto.newBuilder()
            .setIntraOpParallelismThreads(task.threads())
            .setInterOpParallelismThreads(1)
            .build();
    session = new Session(graph, config);
    Session.Runner runner = session.runner();
    initial.forEach(runner::addTarget);
    runner.run().close();
  }

  private static TFloat32 tensor(float[] values, Shape shape) {
    return TFloat32.tensorOf(shape, DataBuffers.of(values));
  }

  private static TFloat32 zeros(Shape shape) {
    return tensor(new float[(int) shape.size()], shape);
  }

  private Variable<TFloat32> variable(TFloat32 value) {
    Variable<TFloat32> variable = state(value);
    parameters.add(variable);
    return variable;
  }

  private Variable<TFloat32> state(TFloat32 value) {
    Variable<TFloat32> variable = tf.variable(value.shape(), TFloat32.class);
    initial.add(tf.assign(variable, tf.constantOf(value)));
    return variable;
  }

  /** max(z, 0) - z y + log(1 + exp(-|z|)), as TensorFlow defines it in Python; [batch]. */
  private Operand<TFloat32> sigmoidLosses(Operand<TFloat32> z) {
    Operand<TFloat32> magnitude = tf.math.neg(tf.math.abs(z));
    Operand<TFloat32> linear = tf.math.sub(tf.nn.relu(z), tf.math.mul(z, y));
    Operand<TFloat32> losses = tf.math.add(linear, tf.math.log1p(tf.math.exp(magnitude)));
    return tf.reshape(losses, tf.constant(new int[] {-1}));
  }

  private Operand<TFloat32> softmaxLosses(Operand<TFloat32> z) {
    return tf.nn.softmaxCrossEntropyWithLogits(z, y).loss();
  }

  private List<Op> updates(Task task) {
    Gradients gradients = tf.gradients(mean, parameters);
    // A variable is updated in place: not before the gradients that pass through it are done.
    List<Op> all = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      all.add(gradients.dy(i));
    }
    Ops last = tf.withControlDependencies(all);
    Operand<TFloat32> rate = tf.constant(task.rate());
    List<Op> list = new ArrayList<>();
    if (task.rule() == Rule.SGD) {
      for (int i = 0; i < parameters.size(); i++) {
        list.add(last.train.applyGradientDescent(parameters.get(i), rate, gradients.<TFloat32>dy(i)));
      }
      return list;
    }
    Operand<TFloat32> beta1 = tf.constant(0.9f);
    Operand<TFloat32> beta2 = tf.constant(0.999f);
    Variable<TFloat32> power1 = state(TFloat32.scalarOf(0.9f));
    Variable<TFloat32> power2 = state(TFloat32.scalarOf(0.999f));
    for (int i = 0; i < parameters.size(); i++) {
      Shape shape = parameters.get(i).shape();
      list.add(
          last.train.applyAdam(
              parameters.get(i),
              state(zeros(shape)),
              state(zeros(shape)),
              power1,
              power2,
              rate,
              beta1,
              beta2,
              tf.constant(1e-8f),
              gradients.<TFloat32>dy(i)));
    }
    Ops after = tf.withControlDependencies(list);
    list.add(after.assign(power1, after.math.mul(power1, beta1)));
    list.add(after.assign(power2, after.math.mul(power2, beta2)));
    return list;
  }

  @Override
  public void step(int batch) {
    Session.Runner runner =
        session.runner().feed(x, features[batch]).feed(y, targets[batch]).fetch(mean);
    updates.forEach(runner::addTarget);
    try (var result = runner.run()) {
      loss = ((TFloat32) result.get(0)).getFloat();
    }
  }

  @Override
  public float loss() {
    return loss;
  }
}

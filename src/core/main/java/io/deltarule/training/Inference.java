package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;

/** Forward passes over many samples, batch by batch. */
public final class Inference {
  /** The most rows of a forward pass. */
  static final int BATCH = 1024;

  private Inference() {}

  /**
   * The logits of samples.
   *
   * @param engine that computes
   * @param parameters of the network
   * @param features standardised, [rows x inputs]
   * @return [rows x outputs]
   */
  public static float[] logits(Engine engine, Parameters parameters, float[] features) {
    Network network = parameters.network();
    int rows = features.length / network.inputs();
    try (Stack stack = new Stack(engine, network);
        Matrix data = engine.allocate("features", rows, network.inputs())) {
      stack.write(parameters);
      engine.write(data, features);
      return logits(engine, stack, stack.pass(Math.min(rows, BATCH)), data);
    }
  }

  /** The logits of data that lives on the engine, with the stack's present parameters. */
  static float[] logits(Engine engine, Stack stack, Stack.Pass pass, Matrix data) {
    int inputs = stack.network().inputs();
    int outputs = stack.network().outputs();
    float[] logits = new float[Math.toIntExact((long) data.rows() * outputs)];
    int batch = pass.rows();
    for (int from = 0; from < data.rows(); from += batch) {
      int rows = Math.min(batch, data.rows() - from);
      Matrix z = pass.top(rows).forward(data.slice((long) from * inputs, rows, inputs));
      float[] part = new float[rows * outputs];
      engine.read(z, part);
      System.arraycopy(part, 0, logits, from * outputs, part.length);
    }
    return logits;
  }
}

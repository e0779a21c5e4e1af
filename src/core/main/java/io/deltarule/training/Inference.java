package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Matrix;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;

/** Forward passes over many samples, batch by batch. */
public final class Inference {
  /** The most rows of a forward pass. */
  private static final int BATCH = 1024;

  private Inference() {}

  /**
   * The logits of samples. The engine holds the parameters and one batch at a time.
   *
   * @param engine that computes
   * @param parameters of the network
   * @param features standardised, [rows x inputs]
   * @return [rows x outputs]
   * @throws IllegalArgumentException if they do not make whole rows
   * @throws EngineMemoryException if the engine has no room for them
   */
  public static float[] logits(Engine engine, Parameters parameters, float[] features) {
    Network network = parameters.network();
    if (features.length % network.inputs() != 0) {
      throw new IllegalArgumentException(
          "%d features do not make rows of %d".formatted(features.length, network.inputs()));
    }
    int rows = features.length / network.inputs();
    int batch = batch(rows);
    try (Resources resources = new Resources()) {
      Stack stack = resources.own(new Stack(engine, network));
      stack.write(parameters);
      Features streamed =
          Features.streamed(engine, resources, "features", features, network.inputs(), batch);
      return logits(engine, stack, stack.pass(batch), streamed, rows);
    }
  }

  /** The rows of a forward pass over some samples, at least 1. */
  static int batch(int rows) {
    return Math.max(1, Math.min(rows, BATCH));
  }

  /** The logits of samples, with the stack's present parameters. */
  static float[] logits(Engine engine, Stack stack, Stack.Pass pass, Features features, int rows) {
    int outputs = stack.network().outputs();
    float[] logits = new float[Math.toIntExact((long) rows * outputs)];
    for (int from = 0; from < rows; from += pass.rows()) {
      int count = Math.min(pass.rows(), rows - from);
      Matrix z = pass.top(count).forward(features.batch(from, count));
      float[] part = new float[count * outputs];
      engine.read(z, part);
      System.arraycopy(part, 0, logits, from * outputs, part.length);
    }
    return logits;
  }
}

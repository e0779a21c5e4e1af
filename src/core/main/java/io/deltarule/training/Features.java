package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;

/** Features of samples, of which an engine gets one batch after the other. */
interface Features {

  /**
   * A batch on the engine.
   *
   * @param from its first row
   * @param rows as many as all batches but the last have, or what is left for the last
   * @return [rows x inputs], until the next call
   */
  Matrix batch(int from, int rows);

  /**
   * Features that live on the engine.
   *
   * @param engine that computes
   * @param resources that own what is allocated
   * @param name for messages
   * @param values [any x inputs]
   * @param inputs at least 1
   * @return the features
   */
  static Features resident(
      Engine engine, Resources resources, String name, float[] values, int inputs) {
    Matrix all = resources.own(engine.allocate(name, values.length / inputs, inputs));
    engine.write(all, values);
    return (from, rows) -> all.slice((long) from * inputs, rows, inputs);
  }

  /**
   * Features that stay on the host.
   *
   * @param engine that computes
   * @param resources that own what is allocated
   * @param name for messages
   * @param values [any x inputs]
   * @param inputs at least 1
   * @param batch rows of a batch, at least 1
   * @return the features
   */
  static Features streamed(
      Engine engine, Resources resources, String name, float[] values, int inputs, int batch) {
    Matrix place = resources.own(engine.allocate(name, batch, inputs));
    HostRows host = new HostRows(engine, values, inputs, batch);
    return (from, rows) -> {
      Matrix part = place.top(rows);
      host.copy(from, part);
      return part;
    };
  }
}

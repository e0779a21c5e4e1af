package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;

/** Row-major numbers on the host that go to an engine batch by batch, through arrays reused. */
final class HostRows {
  private final Engine engine;
  private final float[] values; // [rows x columns]
  private final int columns;
  private final float[] whole; // [batch x columns]
  private final float[] rest; // [rows % batch x columns]

  /**
   * Allocates the arrays.
   *
   * @param engine to write to
   * @param values [rows x columns]
   * @param columns at least 1
   * @param batch rows of a batch, at least 1
   */
  HostRows(Engine engine, float[] values, int columns, int batch) {
    this.engine = engine;
    this.values = values;
    this.columns = columns;
    whole = new float[batch * columns];
    rest = new float[values.length % whole.length];
  }

  /**
   * Writes chosen rows.
   *
   * @param order row numbers
   * @param from where in the order to begin
   * @param to [batch x columns], or [rows % batch x columns]
   */
  void gather(int[] order, int from, Matrix to) {
    float[] batch = arrayOf(to);
    for (int i = 0; i < to.rows(); i++) {
      System.arraycopy(values, order[from + i] * columns, batch, i * columns, columns);
    }
    engine.write(to, batch);
  }

  /**
   * Writes consecutive rows.
   *
   * @param from the first
   * @param to [batch x columns], or [rows % batch x columns]
   */
  void copy(int from, Matrix to) {
    float[] batch = arrayOf(to);
    System.arraycopy(values, from * columns, batch, 0, batch.length);
    engine.write(to, batch);
  }

  private float[] arrayOf(Matrix to) {
    return to.size() == whole.length ? whole : rest;
  }
}

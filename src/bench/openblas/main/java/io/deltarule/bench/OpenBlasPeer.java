package io.deltarule.bench;

import io.deltarule.bench.Multiplier.Order;

/**
 * The floor: the step by hand, its products by OpenBLAS and everything else in vectors on one
 * thread, with nothing in between.
 */
final class OpenBlasPeer implements Peer {
  private Task task;
  private float[][] w; // [units x inputs]
  private float[][] b; // [units]
  private float[][] dw;
  private float[][] db;
  private float[][] a; // activations [batch x units]; the logits, then the output, of the last
  private float[][] d; // error signals [batch x units]
  private Update[] updates;
  private float loss;

  @Override
  public String version() {
    return OpenBlas.version();
  }

  @Override
  public void prepare(Task task) {
    OpenBlas.use(task.threads());
    this.task = task;
    int layers = task.layers();
    w = task.weights();
    b = new float[layers][];
    dw = new float[layers][];
    db = new float[layers][];
    a = new float[layers][];
    d = new float[layers][];
    updates = new Update[layers];
    for (int l = 0; l < layers; l++) {
      int units = task.widths()[l + 1];
      b[l] = new float[units];
      dw[l] = new float[w[l].length];
      db[l] = new float[units];
      a[l] = new float[task.batch() * units];
      d[l] = new float[task.batch() * units];
      updates[l] = new Update(task, w[l].length, units);
    }
  }

  @Override
  public void step(int batch) {
    float[] x = task.features()[batch];
    int m = task.batch();
    int last = task.layers() - 1;
    for (int l = 0; l <= last; l++) {
      int k = task.widths()[l];
      int n = task.widths()[l + 1];
      OpenBlas.multiply(Order.NT, l == 0 ? x : a[l - 1], w[l], a[l], m, n, k);
      if (l < last) {
        Vectors.addAndRectify(a[l], b[l]);
      } else {
        Vectors.add(a[l], b[l]);
      }
    }
    loss = OutputError.compute(a[last], task.targets()[batch], d[last], task.outputs());
    for (int l = last; l >= 0; l--) {
      int k = task.widths()[l];
      int n = task.widths()[l + 1];
      if (l > 0) {
        OpenBlas.multiply(Order.NN, d[l], w[l], d[l - 1], m, k, n);
        Vectors.mask(d[l - 1], a[l - 1]);
      }
      OpenBlas.multiply(Order.TN, d[l], l == 0 ? x : a[l - 1], dw[l], n, k, m);
      Vectors.columnSums(d[l], db[l]);
      updates[l].apply(w[l], dw[l], b[l], db[l]);
    }
  }

  @Override
  public float loss() {
    return loss;
  }
}

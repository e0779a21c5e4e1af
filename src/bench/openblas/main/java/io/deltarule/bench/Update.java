package io.deltarule.bench;

/** The update of one layer, with the state that Adam keeps. */
final class Update {
  private final Rule rule;
  private final float rate;
  private final float[] firstOfW;
  private final float[] secondOfW;
  private final float[] firstOfB;
  private final float[] secondOfB;
  private long steps;

  Update(Task task, int weights, int units) {
    rule = task.rule();
    rate = task.rate();
    int kept = rule == Rule.ADAM ? 1 : 0;
    firstOfW = new float[kept * weights];
    secondOfW = new float[kept * weights];
    firstOfB = new float[kept * units];
    secondOfB = new float[kept * units];
  }

  void apply(float[] w, float[] dw, float[] b, float[] db) {
    if (rule == Rule.SGD) {
      Vectors.sgd(w, dw, rate);
      Vectors.sgd(b, db, rate);
      return;
    }
    steps++;
    float c1 = (float) (1 / (1 - Math.pow(0.9, steps)));
    float c2 = (float) (1 / (1 - Math.pow(0.999, steps)));
    adam(w, dw, firstOfW, secondOfW, c1, c2);
    adam(b, db, firstOfB, secondOfB, c1, c2);
  }

  /** The JIT compiler makes vectors of this loop, as of few others here. */
  private void adam(float[] theta, float[] g, float[] m, float[] v, float c1, float c2) {
    float eta = rate;
    for (int i = 0; i < theta.length; i++) {
      m[i] = 0.9f * m[i] + 0.1f * g[i];
      v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
      theta[i] -= eta * (m[i] * c1) / ((float) Math.sqrt(v[i] * c2) + 1e-8f);
    }
  }
}

package io.deltarule.host;

import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;

/**
 * One pass over the parameters. C2 vectorises only loops over the same index of every array: where
 * parameters, gradient and state start at different ones, they are worked on in copies that fit the
 * first-level cache.
 */
class Updates extends Workers.Task {
  private static final int PART = 1024; // elements in the cache at once
  private static final int CHUNK = 32 * PART;

  private final Workers workers;
  private final float[][][] scratch; // for each worker: theta, gradient and two of state
  private UpdateRule rule;
  float[] theta;
  int atTheta;
  float[] gradient;
  int atGradient;
  float[] state;
  int atState;
  int p;
  float rate;
  float shrink;
  float first;
  float second;

  Updates(Workers workers) {
    this.workers = workers;
    scratch = new float[workers.threads()][4][PART];
  }

  final void run(
      UpdateRule how,
      Operand<HostBlock> parameters,
      Operand<HostBlock> slope,
      Operand<HostBlock> memory,
      Operand<HostBlock> schedule,
      int step) {
    float[] scalars = schedule.block().floats();
    int row = (int) schedule.offset() + step * UpdateRule.SCALARS;
    rate = scalars[row];
    shrink = scalars[row + 1];
    first = scalars[row + 2];
    second = scalars[row + 3];
    rule = how;
    theta = parameters.block().floats();
    atTheta = (int) parameters.offset();
    gradient = slope.block().floats();
    atGradient = (int) slope.offset();
    state = memory.block().floats();
    atState = (int) memory.offset();
    p = parameters.columns();
    workers.run(this, (int) (((long) p + CHUNK - 1) / CHUNK));
    theta = null;
    gradient = null;
    state = null;
  }

  @Override
  final void run(int chunk, int worker) {
    int from = chunk * CHUNK;
    int to = p - from < CHUNK ? p : from + CHUNK;
    boolean aligned = atTheta == atGradient && (rule.stateRows() == 0 || atTheta == atState);
    if (rule instanceof UpdateRule.Adam adam) {
      applyToCopies(adamInVectors(adam, from, to), to, worker);
    } else if (aligned) {
      apply(theta, gradient, state, null, atTheta + from, atTheta + to);
    } else {
      applyToCopies(from, to, worker);
    }
  }

  /**
   * Does what it can of Adam's update in vectors, without copies.
   *
   * @return the first parameter that is left
   */
  int adamInVectors(UpdateRule.Adam adam, int from, int to) {
    return from;
  }

  private void applyToCopies(int from, int to, int worker) {
    float[] t = scratch[worker][0];
    float[] g = scratch[worker][1];
    float[] s = scratch[worker][2];
    float[] v = scratch[worker][3];
    for (int i = from, n; i < to; i += n) {
      n = Math.min(PART, to - i);
      System.arraycopy(theta, atTheta + i, t, 0, n);
      System.arraycopy(gradient, atGradient + i, g, 0, n);
      if (rule.stateRows() > 0) {
        System.arraycopy(state, atState + i, s, 0, n);
      }
      if (rule.stateRows() > 1) {
        System.arraycopy(state, atState + p + i, v, 0, n);
      }
      apply(t, g, s, v, 0, n);
      System.arraycopy(t, 0, theta, atTheta + i, n);
      if (rule.stateRows() > 0) {
        System.arraycopy(s, 0, state, atState + i, n);
      }
      if (rule.stateRows() > 1) {
        System.arraycopy(v, 0, state, atState + p + i, n);
      }
    }
  }

  private void apply(float[] t, float[] g, float[] s, float[] v, int from, int to) {
    if (rule instanceof UpdateRule.Momentum momentum) {
      momentum(t, g, s, from, to, rate, shrink, momentum.momentum());
    } else if (rule instanceof UpdateRule.Adam adam) {
      adam(
          t,
          g,
          s,
          v,
          from,
          to,
          rate * first,
          shrink,
          second,
          adam.beta1(),
          1 - adam.beta1(),
          adam.beta2(),
          1 - adam.beta2(),
          adam.epsilon());
    } else {
      sgd(t, g, from, to, rate, shrink);
    }
  }

  private static void sgd(float[] t, float[] g, int from, int to, float rate, float shrink) {
    for (int i = from; i < to; i++) {
      t[i] = Math.fma(-rate, g[i], Math.fma(-shrink, t[i], t[i]));
    }
  }

  private static void momentum(
      float[] t, float[] g, float[] v, int from, int to, float rate, float shrink, float momentum) {
    for (int i = from; i < to; i++) {
      float velocity = Math.fma(momentum, v[i], g[i]);
      v[i] = velocity;
      t[i] = Math.fma(-rate, velocity, Math.fma(-shrink, t[i], t[i]));
    }
  }

  private static void adam(
      float[] t,
      float[] g,
      float[] m,
      float[] v,
      int from,
      int to,
      float rate,
      float shrink,
      float second,
      float beta1,
      float rest1,
      float beta2,
      float rest2,
      float epsilon) {
    for (int i = from; i < to; i++) {
      float mean = Math.fma(beta1, m[i], rest1 * g[i]);
      float square = Math.fma(beta2, v[i], rest2 * g[i] * g[i]);
      m[i] = mean;
      v[i] = square;
      float step = rate * mean / ((float) Math.sqrt(square * second) + epsilon);
      t[i] = Math.fma(-shrink, t[i], t[i]) - step;
    }
  }
}

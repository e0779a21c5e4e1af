package io.deltarule.reference;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;

/**
 * One method per equation of backpropagation, on rows and in double precision. A matrix is {@code
 * double[rows][columns]}, samples are rows; (E1) to (E9) are the equations of kernels/README.md.
 * Nothing here is checked or tuned: every loop is the equation's own index formula. NaN and
 * infinities follow IEEE arithmetic, so that they spread to whatever depends on them.
 */
public final class Reference {

  private Reference() {}

  /**
   * (E1) {@code Z = X W' + 1 b'}: {@code z_ij = sum_k x_ik w_jk + b_j}.
   *
   * @param x inputs [m x k]
   * @param w weights [n x k]
   * @param b biases [n]
   * @return pre-activations [m x n]
   */
  public static double[][] preActivations(double[][] x, double[][] w, double[] b) {
    double[][] z = new double[x.length][w.length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < w.length; j++) {
        z[i][j] = dot(x[i], w[j]) + b[j];
      }
    }
    return z;
  }

  /**
   * (E2) {@code A = f(Z)}, element by element.
   *
   * @param f the activation
   * @param z pre-activations [m x n]
   * @return activations [m x n]
   */
  public static double[][] activations(Activation f, double[][] z) {
    double[][] a = new double[z.length][];
    for (int i = 0; i < z.length; i++) {
      a[i] = new double[z[i].length];
      for (int j = 0; j < z[i].length; j++) {
        a[i][j] = f.apply(z[i][j]);
      }
    }
    return a;
  }

  /**
   * (E3) {@code J = 1/m sum_i loss(z_i, y_i)}.
   *
   * @param output the link and its loss
   * @param z logits [m x n]
   * @param y targets [m x n]
   * @return the mean loss over the samples, 0 for no samples
   */
  public static double meanLoss(Output output, double[][] z, double[][] y) {
    double sum = 0;
    for (int i = 0; i < z.length; i++) {
      sum += output.loss(z[i], y[i]);
    }
    return z.length == 0 ? 0 : sum / z.length;
  }

  /**
   * (E4) {@code D = (link(Z) - Y) / m}.
   *
   * @param output the link
   * @param z logits [m x n]
   * @param y targets [m x n]
   * @return the error signal of the output layer [m x n]
   */
  public static double[][] outputError(Output output, double[][] z, double[][] y) {
    double[][] d = new double[z.length][];
    for (int i = 0; i < z.length; i++) {
      d[i] = z[i].clone();
      output.link(d[i]);
      for (int j = 0; j < d[i].length; j++) {
        d[i][j] = (d[i][j] - y[i][j]) / z.length;
      }
    }
    return d;
  }

  /**
   * (E5) {@code E = (D W) (.) f'(saved)}: {@code e_ik = (sum_j d_ij w_jk) f'(saved_ik)}.
   *
   * @param d the error signal of the layer above [m x n]
   * @param w the weights of the layer above [n x k]
   * @param f the activation of the layer below
   * @param saved Z of the layer below if {@link Activation#savesInput()}, otherwise its A [m x k]
   * @return the error signal of the layer below [m x k]
   */
  public static double[][] propagate(double[][] d, double[][] w, Activation f, double[][] saved) {
    double[][] e = new double[d.length][];
    for (int i = 0; i < d.length; i++) {
      e[i] = new double[saved[i].length];
      for (int j = 0; j < w.length; j++) {
        for (int k = 0; k < e[i].length; k++) {
          e[i][k] += d[i][j] * w[j][k];
        }
      }
      for (int k = 0; k < e[i].length; k++) {
        e[i][k] *= f.derivative(saved[i][k]);
      }
    }
    return e;
  }

  /**
   * (E6) {@code dW = D' A}: {@code dw_jk = sum_i d_ij a_ik}. D is already divided by m.
   *
   * @param d the layer's error signal [m x n]
   * @param a the layer's inputs [m x k]
   * @param n the layer's units: no row tells them if m is 0
   * @param k the layer's inputs
   * @return the gradient of the weights [n x k], zero for no samples
   */
  public static double[][] weightGradient(double[][] d, double[][] a, int n, int k) {
    double[][] dw = new double[n][k];
    for (int i = 0; i < d.length; i++) {
      for (int j = 0; j < n; j++) {
        for (int c = 0; c < k; c++) {
          dw[j][c] += d[i][j] * a[i][c];
        }
      }
    }
    return dw;
  }

  /**
   * (E7) {@code db = D' 1}: {@code db_j = sum_i d_ij}.
   *
   * @param d the layer's error signal [m x n]
   * @param n the layer's units
   * @return the gradient of the biases [n], zero for no samples
   */
  public static double[] biasGradient(double[][] d, int n) {
    double[] db = new double[n];
    for (double[] row : d) {
      for (int j = 0; j < n; j++) {
        db[j] += row[j];
      }
    }
    return db;
  }

  /**
   * (E8) {@code theta = theta - shrink theta - step(g)}, in place; the step is that of the rule,
   * see {@link UpdateRule}.
   *
   * @param rule how
   * @param theta parameters [p], changed
   * @param g their gradient [p]
   * @param state the rule's memory [{@link UpdateRule#stateRows()} x p], changed
   * @param scalars a row of the schedule: rate, shrink, first and second correction
   */
  public static void update(
      UpdateRule rule, double[] theta, double[] g, double[][] state, double[] scalars) {
    double rate = scalars[0];
    double shrink = scalars[1];
    for (int i = 0; i < theta.length; i++) {
      double step;
      if (rule instanceof UpdateRule.Sgd) {
        step = g[i];
      } else if (rule instanceof UpdateRule.Momentum momentum) {
        state[0][i] = momentum.momentum() * state[0][i] + g[i];
        step = state[0][i];
      } else if (rule instanceof UpdateRule.Adam adam) {
        double beta1 = adam.beta1();
        double beta2 = adam.beta2();
        state[0][i] = beta1 * state[0][i] + (1 - beta1) * g[i];
        state[1][i] = beta2 * state[1][i] + (1 - beta2) * g[i] * g[i];
        step = state[0][i] * scalars[2] / (Math.sqrt(state[1][i] * scalars[3]) + adam.epsilon());
      } else {
        throw new IllegalArgumentException("no equation for " + rule);
      }
      theta[i] = theta[i] - shrink * theta[i] - rate * step;
    }
  }

  /**
   * (E9) {@code X = data[rows]}: {@code x_i = data_rows(i)}.
   *
   * @param data [any x n]
   * @param rows the numbers of the rows
   * @param m how many of the numbers are used
   * @return copies of the rows [m x n]
   */
  public static double[][] gather(double[][] data, int[] rows, int m) {
    double[][] x = new double[m][];
    for (int i = 0; i < m; i++) {
      x[i] = data[rows[i]].clone();
    }
    return x;
  }

  private static double dot(double[] x, double[] w) {
    double sum = 0;
    for (int k = 0; k < x.length; k++) {
      sum += x[k] * w[k];
    }
    return sum;
  }
}

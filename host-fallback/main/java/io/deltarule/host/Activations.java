package io.deltarule.host;

import io.deltarule.engine.Activation;

/**
 * {@link Activation} on rows of floats. The loops of the piecewise linear ones have no branches, so
 * that C2 vectorises them: {@code Math.max} and {@code Math.min} pass NaN on, comparisons would
 * not.
 */
final class Activations {
  private Activations() {}

  /** {@code z[j] = f(z[j])} for j below n. */
  static void apply(Activation f, float[] z, int n) {
    switch (f) {
      case RELU -> relu(z, n);
      case LEAKY_RELU -> leakyRelu(z, n);
      case TANH -> tanh(z, n);
      case SIGMOID -> sigmoid(z, n);
      case GELU -> gelu(z, n);
      case IDENTITY -> {}
    }
  }

  /** {@code e[j] = e[j] f'(saved[j])} for j below n. */
  static void mask(Activation f, float[] saved, float[] e, int n) {
    switch (f) {
      case RELU -> maskRelu(saved, e, n);
      case LEAKY_RELU -> maskLeakyRelu(saved, e, n);
      case TANH -> maskTanh(saved, e, n);
      case SIGMOID -> maskSigmoid(saved, e, n);
      case GELU -> maskGelu(saved, e, n);
      case IDENTITY -> maskIdentity(saved, e, n);
    }
  }

  private static void relu(float[] z, int n) {
    for (int j = 0; j < n; j++) {
      z[j] = Math.max(z[j], 0f);
    }
  }

  private static void leakyRelu(float[] z, int n) {
    for (int j = 0; j < n; j++) {
      z[j] = Math.max(z[j], z[j] * Activation.LEAKY_SLOPE);
    }
  }

  private static void tanh(float[] z, int n) {
    for (int j = 0; j < n; j++) {
      double e = Exponential.expm1(2.0 * z[j]);
      z[j] = (float) (e / (e + 2));
    }
  }

  private static void sigmoid(float[] z, int n) {
    for (int j = 0; j < n; j++) {
      z[j] = (float) (1 / (1 + Exponential.exp(-z[j])));
    }
  }

  private static void gelu(float[] z, int n) {
    for (int j = 0; j < n; j++) {
      z[j] = (float) (z[j] / (1 + Exponential.exp(-2 * geluInner(z[j]))));
    }
  }

  private static double geluInner(double z) {
    return Activation.GELU_SCALE * (z + Activation.GELU_CUBIC * z * z * z);
  }

  /** 1 for a > 0, otherwise 0; 2^254 lifts the smallest subnormal above 1. */
  private static float positive(float a) {
    return Math.min(Math.max(a, 0f) * 0x1p127f * 0x1p127f, 1f);
  }

  private static void maskRelu(float[] a, float[] e, int n) {
    for (int j = 0; j < n; j++) {
      e[j] *= positive(a[j]);
    }
  }

  private static void maskLeakyRelu(float[] a, float[] e, int n) {
    for (int j = 0; j < n; j++) {
      e[j] *= Math.max(positive(a[j]), Activation.LEAKY_SLOPE);
    }
  }

  private static void maskTanh(float[] a, float[] e, int n) {
    for (int j = 0; j < n; j++) {
      e[j] *= Math.fma(-a[j], a[j], 1f);
    }
  }

  private static void maskSigmoid(float[] a, float[] e, int n) {
    for (int j = 0; j < n; j++) {
      e[j] *= a[j] * (1f - a[j]);
    }
  }

  private static void maskGelu(float[] saved, float[] e, int n) {
    for (int j = 0; j < n; j++) {
      double z = saved[j];
      // s (1 - s) from one exponential of a negative number: no cancellation, no overflow.
      double t = Exponential.exp(-2 * Math.abs(geluInner(z)));
      double r = 1 / (1 + t);
      double s = z < 0 ? t * r : r;
      // Saturated long before z^3 overflows a double, as z is a float; t is then below 1e-304.
      double slope = 2 * Activation.GELU_SCALE * (1 + 3 * Activation.GELU_CUBIC * z * z);
      e[j] *= (float) (t < 1e-300 ? s : s + z * t * r * r * slope);
    }
  }

  private static void maskIdentity(float[] a, float[] e, int n) {
    for (int j = 0; j < n; j++) {
      e[j] *= Math.min(Math.max(a[j], 1f), 1f); // 1, or NaN where a is
    }
  }
}

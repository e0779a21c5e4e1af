/*
 * Activations f and their derivatives:  A = f(Z),  f'(saved) with saved = A, but Z for GELU.
 * The numbers are those of io.deltarule.engine.Activation. A comparison with NaN is false: each
 * line is written so that NaN falls through to a result that is NaN.
 */
#ifndef DELTARULE_ACTIVATION_H
#define DELTARULE_ACTIVATION_H
#include "portable.h"

#define RELU 0
#define LEAKY_RELU 1
#define TANH 2
#define SIGMOID 3
#define GELU 4
#define IDENTITY 5

#define LEAKY_SLOPE 0.01f
#define GELU_SCALE 0.7978845608028654f
#define GELU_CUBIC 0.044715f

/* f(z) */
DEVICE float activate(int f, float z) {
  switch (f) {
    case RELU:
      return z <= 0.0f ? 0.0f : z;
    case LEAKY_RELU:
      return z > 0.0f ? z : LEAKY_SLOPE * z;
    case TANH:
      return TANH_OF(z);
    case SIGMOID:
      return 1.0f / (1.0f + EXP(-z));
    case GELU: /* z/2 (1 + tanh u) = z sigmoid(2u) */
      return z / (1.0f + EXP(-2.0f * GELU_SCALE * (z + GELU_CUBIC * z * z * z)));
    default:
      return z;
  }
}

/* f'(z), from what was saved of z */
DEVICE float derivative(int f, float saved) {
  switch (f) {
    case RELU:
      return saved > 0.0f ? 1.0f : saved <= 0.0f ? 0.0f : saved;
    case LEAKY_RELU:
      return saved > 0.0f ? 1.0f : saved <= 0.0f ? LEAKY_SLOPE : saved;
    case TANH:
      return 1.0f - saved * saved;
    case SIGMOID:
      return saved * (1.0f - saved);
    case GELU: {
      const float square = saved * saved;
      const float e = EXP(-2.0f * GELU_SCALE * FABS(saved + GELU_CUBIC * square * saved));
      const float r = 1.0f / (1.0f + e);
      const float s = saved < 0.0f ? e * r : r; /* sigmoid(2u) */
      if (e == 0.0f) {
        return s; /* saturated, where the second term would be 0 times infinity */
      }
      /* s (1 - s) = e / (1 + e)^2 does not cancel */
      return s + saved * (e * r * r) * 2.0f * GELU_SCALE * (1.0f + 3.0f * GELU_CUBIC * square);
    }
    default:
      return saved == saved ? 1.0f : saved;
  }
}

#endif

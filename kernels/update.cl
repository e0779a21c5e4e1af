/*
 * The update of all parameters:  theta = theta - shrink theta - rate step(g)      all [p]
 *
 *   update_sgd        step = g
 *   update_momentum   v = momentum v + g,  step = v
 *   update_adam       u = beta1 u + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
 *                     step = u c1 / (sqrt(v c2) + epsilon)
 *
 * rate, shrink, c1 and c2 are row at[0] of the schedule [any x 4], so that a recorded launch stays
 * valid. state holds u and v [rows x p]. Launch: one work-item for each parameter, groups of WG.
 */
#include "portable.h"

#define SCALARS 4

DEVICE float decayed(float theta, GLOBAL const float *scalars) {
  return theta - scalars[1] * theta;
}

KERNEL(WG, 1) void update_sgd(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at) {
  const INDEX i = (INDEX)GROUP(0) * WG + ITEM(0);
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  if (i < p) {
    theta[atTheta + i] = decayed(theta[atTheta + i], scalars) - scalars[0] * g[atG + i];
  }
}

KERNEL(WG, 1) void update_momentum(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at, GLOBAL float *RESTRICT state, INDEX atState,
    float momentum) {
  const INDEX i = (INDEX)GROUP(0) * WG + ITEM(0);
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  if (i < p) {
    const float v = momentum * state[atState + i] + g[atG + i];
    state[atState + i] = v;
    theta[atTheta + i] = decayed(theta[atTheta + i], scalars) - scalars[0] * v;
  }
}

KERNEL(WG, 1) void update_adam(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at, GLOBAL float *RESTRICT state, INDEX atState,
    float beta1, float beta2, float epsilon) {
  const INDEX i = (INDEX)GROUP(0) * WG + ITEM(0);
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  if (i < p) {
    const float slope = g[atG + i];
    const float u = beta1 * state[atState + i] + (1.0f - beta1) * slope;
    const float v = beta2 * state[atState + p + i] + (1.0f - beta2) * slope * slope;
    state[atState + i] = u;
    state[atState + p + i] = v;
    const float step = u * scalars[2] / (SQRT(v * scalars[3]) + epsilon);
    theta[atTheta + i] = decayed(theta[atTheta + i], scalars) - scalars[0] * step;
  }
}

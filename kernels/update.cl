/*
 * The update of all parameters:  theta = theta - shrink theta - rate step(g)      all [p]
 *
 *   update_sgd        step = g
 *   update_momentum   v = momentum v + g,  step = v
 *   update_adam       u = beta1 u + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
 *                     step = u c1 / (sqrt(v c2) + epsilon)
 *
 * rate, shrink, c1 and c2 are row at[0] of the schedule [any x 4], so that a recorded launch stays
 * valid. state holds u and v [rows x p]. Launch: one work-item for VW parameters, groups of WG.
 */
#include "update.h"

KERNEL(WG, 1) void update_sgd(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW], slopes[VW];
  read_up_to(p - i, theta + atTheta + i, parameters);
  read_up_to(p - i, g + atG + i, slopes);
  UNROLL for (int j = 0; j < VW; j++) {
    parameters[j] = stepped(parameters[j], slopes[j], scalars);
  }
  write_up_to(p - i, parameters, theta + atTheta + i);
}

KERNEL(WG, 1) void update_momentum(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at, GLOBAL float *RESTRICT state, INDEX atState,
    float momentum) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW], slopes[VW], v[VW];
  read_up_to(p - i, theta + atTheta + i, parameters);
  read_up_to(p - i, g + atG + i, slopes);
  read_up_to(p - i, state + atState + i, v);
  UNROLL for (int j = 0; j < VW; j++) {
    v[j] = momentum_step(slopes[j], v[j], momentum);
    parameters[j] = stepped(parameters[j], v[j], scalars);
  }
  write_up_to(p - i, v, state + atState + i);
  write_up_to(p - i, parameters, theta + atTheta + i);
}

KERNEL(WG, 1) void update_adam(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at, GLOBAL float *RESTRICT state, INDEX atState,
    float beta1, float beta2, float epsilon) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW], slopes[VW], u[VW], v[VW];
  read_up_to(p - i, theta + atTheta + i, parameters);
  read_up_to(p - i, g + atG + i, slopes);
  read_up_to(p - i, state + atState + i, u);
  read_up_to(p - i, state + atState + p + i, v);
  UNROLL for (int j = 0; j < VW; j++) {
    const float step = adam_step(slopes[j], &u[j], &v[j], beta1, beta2, epsilon, scalars);
    parameters[j] = stepped(parameters[j], step, scalars);
  }
  write_up_to(p - i, u, state + atState + i);
  write_up_to(p - i, v, state + atState + p + i);
  write_up_to(p - i, parameters, theta + atTheta + i);
}

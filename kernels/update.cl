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
#include "update_vector.h"

KERNEL(WG, 1) void update_sgd(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at) {
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW];
  sgd(p, first_of_item(), theta + atTheta, g + atG, scalars, parameters);
}

KERNEL(WG, 1) void update_momentum(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at, GLOBAL float *RESTRICT state, INDEX atState,
    float momentum) {
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW];
  momentum_sgd(p, first_of_item(), theta + atTheta, g + atG, scalars, state + atState, momentum,
      parameters);
}

KERNEL(WG, 1) void update_adam(INDEX p, GLOBAL float *RESTRICT theta, INDEX atTheta,
    GLOBAL const float *RESTRICT g, INDEX atG, GLOBAL const float *RESTRICT schedule,
    INDEX atSchedule, GLOBAL const int *RESTRICT at, GLOBAL float *RESTRICT state, INDEX atState,
    float beta1, float beta2, float epsilon) {
  GLOBAL const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW];
  adam(p, first_of_item(), theta + atTheta, g + atG, scalars, state + atState, beta1, beta2,
      epsilon, parameters);
}

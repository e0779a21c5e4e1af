/*
 * The update of the VW neighbouring parameters of a work-item; update.cl has the equations. i is the
 * first of them, of p. Each function leaves them in parameters, too.
 */
#ifndef DELTARULE_UPDATE_VECTOR_H
#define DELTARULE_UPDATE_VECTOR_H
#include "update.h"

DEVICE INDEX first_of_item(void) {
  return ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
}

DEVICE void sgd(INDEX p, INDEX i, GLOBAL float *theta, GLOBAL const float *g,
                GLOBAL const float *scalars, float *parameters) {
  float slopes[VW];
  read_up_to(p - i, theta + i, parameters);
  read_up_to(p - i, g + i, slopes);
  UNROLL for (int j = 0; j < VW; j++) {
    parameters[j] = stepped(parameters[j], slopes[j], scalars);
  }
  write_up_to(p - i, parameters, theta + i);
}

DEVICE void momentum_sgd(INDEX p, INDEX i, GLOBAL float *theta, GLOBAL const float *g,
                         GLOBAL const float *scalars, GLOBAL float *state, float momentum,
                         float *parameters) {
  float slopes[VW], v[VW];
  read_up_to(p - i, theta + i, parameters);
  read_up_to(p - i, g + i, slopes);
  read_up_to(p - i, state + i, v);
  UNROLL for (int j = 0; j < VW; j++) {
    v[j] = momentum_step(slopes[j], v[j], momentum);
    parameters[j] = stepped(parameters[j], v[j], scalars);
  }
  write_up_to(p - i, v, state + i);
  write_up_to(p - i, parameters, theta + i);
}

DEVICE void adam(INDEX p, INDEX i, GLOBAL float *theta, GLOBAL const float *g,
                 GLOBAL const float *scalars, GLOBAL float *state, float beta1, float beta2,
                 float epsilon, float *parameters) {
  float slopes[VW], u[VW], v[VW];
  read_up_to(p - i, theta + i, parameters);
  read_up_to(p - i, g + i, slopes);
  read_up_to(p - i, state + i, u);
  read_up_to(p - i, state + p + i, v);
  UNROLL for (int j = 0; j < VW; j++) {
    const float step = adam_step(slopes[j], &u[j], &v[j], beta1, beta2, epsilon, scalars);
    parameters[j] = stepped(parameters[j], step, scalars);
  }
  write_up_to(p - i, u, state + i);
  write_up_to(p - i, v, state + p + i);
  write_up_to(p - i, parameters, theta + i);
}

#endif

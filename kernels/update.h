/*
 * The update of one parameter; update.cl has the equations. scalars is a row of the schedule.
 */
#ifndef DELTARULE_UPDATE_H
#define DELTARULE_UPDATE_H
#include "portable.h"

#define SCALARS 4

DEVICE float stepped(float theta, float step, GLOBAL const float *scalars) {
  return theta - scalars[1] * theta - scalars[0] * step;
}

/* The step of momentum, which is the new v. */
DEVICE float momentum_step(float g, float v, float momentum) {
  return momentum * v + g;
}

/* The step of Adam, which changes u and v. */
DEVICE float adam_step(float g, float *u, float *v, float beta1, float beta2, float epsilon,
                       GLOBAL const float *scalars) {
  *u = beta1 * *u + (1.0f - beta1) * g;
  *v = beta2 * *v + (1.0f - beta2) * g * g;
  return *u * scalars[2] / (SQRT(*v * scalars[3]) + epsilon);
}

#endif

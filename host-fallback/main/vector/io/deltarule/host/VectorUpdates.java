package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;

/** Adam's update where the parameters lie; C2 makes vectors of the loops of the other rules. */
final class VectorUpdates extends Updates {

  VectorUpdates(Workers workers) {
    super(workers);
  }

  @Override
  int adamInVectors(
      int from,
      int to,
      float step,
      float decay,
      float correction,
      float beta1,
      float beta2,
      float epsilon) {
    float[] t = theta;
    float[] g = gradient;
    float[] s = state;
    int atV = atState + p;
    FloatVector allEpsilon = FloatVector.broadcast(SPECIES, epsilon);
    FloatVector allBeta1 = FloatVector.broadcast(SPECIES, beta1);
    FloatVector allBeta2 = FloatVector.broadcast(SPECIES, beta2);
    FloatVector shrink = FloatVector.broadcast(SPECIES, -decay);
    int i = from;
    for (; i <= to - LANES; i += LANES) {
      FloatVector slope = FloatVector.fromArray(SPECIES, g, atGradient + i);
      FloatVector mean =
          FloatVector.fromArray(SPECIES, s, atState + i).fma(allBeta1, slope.mul(1 - beta1));
      FloatVector square =
          FloatVector.fromArray(SPECIES, s, atV + i).fma(allBeta2, slope.mul(1 - beta2).mul(slope));
      mean.intoArray(s, atState + i);
      square.intoArray(s, atV + i);
      FloatVector x = FloatVector.fromArray(SPECIES, t, atTheta + i);
      x.fma(shrink, x)
          .sub(mean.mul(step).div(square.mul(correction).sqrt().add(allEpsilon)))
          .intoArray(t, atTheta + i);
    }
    return i;
  }
}

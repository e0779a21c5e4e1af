package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.UpdateRule;
import jdk.incubator.vector.FloatVector;

/** Adam's update where the parameters lie; C2 makes vectors of the loops of the other rules. */
final class VectorUpdates extends Updates {

  VectorUpdates(Workers workers) {
    super(workers);
  }

  @Override
  int adamInVectors(UpdateRule.Adam adam, int from, int to) {
    float[] t = theta;
    float[] g = gradient;
    float[] s = state;
    int atV = atState + p;
    float step = rate * first;
    float correction = second;
    float rest1 = 1 - adam.beta1();
    float rest2 = 1 - adam.beta2();
    FloatVector beta1 = FloatVector.broadcast(SPECIES, adam.beta1());
    FloatVector beta2 = FloatVector.broadcast(SPECIES, adam.beta2());
    FloatVector epsilon = FloatVector.broadcast(SPECIES, adam.epsilon());
    FloatVector decay = FloatVector.broadcast(SPECIES, -shrink);
    int i = from;
    for (; i <= to - LANES; i += LANES) {
      FloatVector slope = FloatVector.fromArray(SPECIES, g, atGradient + i);
      FloatVector mean =
          FloatVector.fromArray(SPECIES, s, atState + i).fma(beta1, slope.mul(rest1));
      FloatVector square =
          FloatVector.fromArray(SPECIES, s, atV + i).fma(beta2, slope.mul(rest2).mul(slope));
      mean.intoArray(s, atState + i);
      square.intoArray(s, atV + i);
      FloatVector x = FloatVector.fromArray(SPECIES, t, atTheta + i);
      x.fma(decay, x)
          .sub(mean.mul(step).div(square.mul(correction).sqrt().add(epsilon)))
          .intoArray(t, atTheta + i);
    }
    return i;
  }
}

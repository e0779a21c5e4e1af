package io.deltarule.bench;

/** How parameters follow their gradient. Adam has the usual constants 0.9, 0.999 and 1e-8. */
public enum Rule {
  SGD,
  ADAM
}

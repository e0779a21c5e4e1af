package io.deltarule.host;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The widest vectors of this machine, constants that C2 compiles for. There are no others in this
 * package: on JDK 17, two lengths in one JVM make C2 allocate every vector that is stored.
 */
final class Lanes {
  static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  static final int LANES = SPECIES.length();

  private Lanes() {}
}

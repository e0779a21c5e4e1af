package io.deltarule.host;

import java.util.List;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * The widest vectors of this machine, constants that C2 compiles for. There are no others in this
 * package: on JDK 17, two lengths in one JVM make C2 allocate every vector that is stored.
 */
final class Lanes {
  static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  static final int LANES = SPECIES.length();

  private static final List<VectorMask<Float>> FIRST =
      IntStream.rangeClosed(0, LANES).mapToObj(count -> SPECIES.indexInRange(0, count)).toList();

  private Lanes() {}

  /** Of so many lanes. */
  static VectorMask<Float> first(int count) {
    return FIRST.get(count);
  }
}

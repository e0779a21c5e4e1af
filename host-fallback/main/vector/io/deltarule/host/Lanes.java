package io.deltarule.host;

import java.util.List;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
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

  /** The first lanes, so many. */
  static VectorMask<Float> first(int count) {
    return FIRST.get(count);
  }

  /** The lanes whose number has a bit set. */
  static VectorMask<Float> upper(int bit) {
    boolean[] lanes = new boolean[LANES];
    for (int i = 0; i < LANES; i++) {
      lanes[i] = (i & bit) != 0;
    }
    return VectorMask.fromArray(SPECIES, lanes, 0);
  }

  /** Exchanges the lanes whose numbers differ in a bit. */
  static VectorShuffle<Float> swap(int bit) {
    return VectorShuffle.fromOp(SPECIES, i -> i ^ bit);
  }

  /** Brings the even lanes to the lower half, the odd ones to the upper. */
  static VectorShuffle<Float> evenFirst() {
    return VectorShuffle.fromOp(SPECIES, i -> i % (LANES / 2) * 2 + i / (LANES / 2));
  }
}

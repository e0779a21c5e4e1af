package io.deltarule.data;

import io.deltarule.random.Philox;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;

/**
 * Rows divided in two, at random but as a function of the seed alone.
 *
 * @param first the part that has the share asked for, in the order of the rows given
 * @param second the others, in the same order
 */
public record Split(int[] first, int[] second) {

  /**
   * Gives the first part {@code round(share * rows)} rows, but at least one and not all. With codes
   * the split is stratified: of each code the first part has its share to within one row, the rows
   * left over going to the codes with the largest remainders.
   *
   * @param rows to divide, each once, at least 2
   * @param codesOrNull the class of each row of the data set ({@code codesOrNull[rows[i]]} is
   *     used), or null for a plain split
   * @param share of the rows that the first part gets, above 0 and below 1
   * @param seed of the generator
   * @param index tells several splits of one seed apart
   * @return the two parts
   * @throws IllegalArgumentException if no part could have a row, or the share is out of range
   */
  public static Split of(int[] rows, int[] codesOrNull, double share, long seed, int index) {
    if (!(share > 0 && share < 1)) {
      throw new IllegalArgumentException("share must lie between 0 and 1, not " + share);
    }
    if (rows.length < 2) {
      throw new IllegalArgumentException(
          "%d rows cannot be split in two; at least 2 are needed".formatted(rows.length));
    }
    TreeMap<Integer, Stratum> byCode = new TreeMap<>();
    for (int i = 0; i < rows.length; i++) {
      int code = codesOrNull == null ? 0 : codesOrNull[rows[i]];
      byCode.computeIfAbsent(code, key -> new Stratum()).add(i);
    }
    List<Stratum> strata = new ArrayList<>(byCode.values());
    Philox random = new Philox(seed, Philox.Purpose.SPLIT, index);
    int left = (int) Math.max(1, Math.min(rows.length - 1L, Math.round(rows.length * share)));
    for (Stratum stratum : strata) {
      stratum.shuffle(random, share);
      left -= stratum.taken;
    }
    List<Stratum> byRemainder = new ArrayList<>(strata);
    byRemainder.sort(Comparator.comparingDouble((Stratum s) -> -s.remainder)); // stable
    for (int i = 0; i < left; i++) {
      byRemainder.get(i).taken++;
    }
    boolean[] taken = new boolean[rows.length];
    int count = 0;
    for (Stratum stratum : strata) {
      for (int i = 0; i < stratum.taken; i++) {
        taken[stratum.positions[i]] = true;
      }
      count += stratum.taken;
    }
    int[] first = new int[count];
    int[] second = new int[rows.length - count];
    int a = 0;
    int b = 0;
    for (int i = 0; i < rows.length; i++) {
      if (taken[i]) {
        first[a++] = rows[i];
      } else {
        second[b++] = rows[i];
      }
    }
    return new Split(first, second);
  }

  /** The rows of one code. */
  private static final class Stratum {
    private int[] positions = new int[16];
    private int size;
    private int taken;
    private double remainder;

    void add(int position) {
      if (size == positions.length) {
        positions = Arrays.copyOf(positions, (int) Math.min(2L * size, Integer.MAX_VALUE - 8));
      }
      positions[size++] = position;
    }

    void shuffle(Philox random, double share) {
      positions = Arrays.copyOf(positions, size);
      random.shuffle(positions);
      taken = Math.min(size - 1, (int) (size * share)); // the product may round up to size
      remainder = size * share - taken;
    }
  }
}

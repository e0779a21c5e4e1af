package io.deltarule.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SplitTest {
  @Test
  void everyRowIsInOnePartAndInOrder() {
    Random random = new Random(4);
    for (int trial = 0; trial < 500; trial++) {
      int[] rows = IntStream.range(0, 2 + random.nextInt(200)).map(i -> 3 * i + 1).toArray();
      double share = 0.001 + 0.998 * random.nextDouble();
      int classes = 1 + random.nextInt(6);
      int[] codes = random.ints(3 * rows.length + 2, -1, classes).toArray();
      boolean stratified = trial % 2 == 0;
      Split split = Split.of(rows, stratified ? codes : null, share, trial, 0);
      int[] all =
          IntStream.concat(Arrays.stream(split.first()), Arrays.stream(split.second()))
              .sorted()
              .toArray();
      assertArrayEquals(rows, all);
      assertTrue(split.first().length > 0 && split.second().length > 0);
      for (int[] part : new int[][] {split.first(), split.second()}) {
        assertArrayEquals(Arrays.stream(part).sorted().toArray(), part);
      }
      long expected = Math.max(1, Math.min(rows.length - 1, Math.round(share * rows.length)));
      assertEquals(expected, split.first().length);
      if (stratified) {
        for (int code = -1; code < classes; code++) {
          int wanted = code;
          long of = Arrays.stream(rows).filter(r -> codes[r] == wanted).count();
          long taken = Arrays.stream(split.first()).filter(r -> codes[r] == wanted).count();
          assertTrue(Math.abs(taken - share * of) < 1 + 1e-9, taken + " of " + of);
        }
      }
    }
  }

  @Test
  void isAFunctionOfSeedAndIndex() {
    int[] rows = IntStream.range(0, 1000).toArray();
    int[] first = Split.of(rows, null, 0.3, 5, 0).first();
    assertArrayEquals(first, Split.of(rows, null, 0.3, 5, 0).first());
    assertFalse(Arrays.equals(first, Split.of(rows, null, 0.3, 6, 0).first()));
    assertFalse(Arrays.equals(first, Split.of(rows, null, 0.3, 5, 1).first()));
    // Pinned: saved models say which rows they have not seen by seed alone.
    assertArrayEquals(
        new int[] {2, 4, 7, 13, 18},
        Split.of(IntStream.range(0, 20).toArray(), null, 0.25, 42, 0).first());
  }

  @Test
  void everyRowIsAsLikely() {
    int[] count = new int[10];
    for (int seed = 0; seed < 10_000; seed++) {
      for (int row : Split.of(IntStream.range(0, 10).toArray(), null, 0.3, seed, 0).first()) {
        count[row]++;
      }
    }
    for (int n : count) {
      assertEquals(3000, n, 5 * Math.sqrt(3000 * 0.7)); // five deviations
    }
  }

  @Test
  void extremeSharesLeaveARow() {
    int[] rows = IntStream.range(0, 100).toArray();
    int[] codes = new int[100];
    assertEquals(1, Split.of(rows, codes, 1e-9, 1, 0).first().length);
    assertEquals(1, Split.of(rows, codes, Math.nextDown(1.0), 1, 0).second().length);
  }

  @Test
  void whatCannotBeSplitIsRefused() {
    int[] two = {0, 1};
    for (double share : new double[] {0, 1, -1, 2, Double.NaN}) {
      assertThrows(IllegalArgumentException.class, () -> Split.of(two, null, share, 1, 0));
    }
    assertEquals(
        "1 rows cannot be split in two; at least 2 are needed",
        assertThrows(IllegalArgumentException.class, () -> Split.of(new int[] {7}, null, 0.5, 1, 0))
            .getMessage());
  }
}

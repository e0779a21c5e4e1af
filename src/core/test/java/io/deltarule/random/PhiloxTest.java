package io.deltarule.random;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.random.Philox.Purpose;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PhiloxTest {
  private static final int MANY = 200_000;

  /** The known answers that Random123 publishes for philox4x32-10. */
  @Test
  void knownAnswers() {
    assertBlock(
        new int[] {0, 0, 0, 0}, 0, 0, new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    assertBlock(
        new int[] {-1, -1, -1, -1},
        -1,
        -1,
        new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    assertBlock(
        new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
        0xa4093822,
        0x299f31d0,
        new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  }

  private static void assertBlock(int[] counter, int key0, int key1, int[] expected) {
    Philox.encrypt(counter, key0, key1);
    assertArrayEquals(expected, counter);
  }

  @Test
  void aStreamIsTheBlocksOfItsCounter() {
    long seed = 0x0123456789abcdefL;
    Philox random = new Philox(seed, Purpose.DATA, 7);
    for (int block = 0; block < 3; block++) {
      int[] counter = {block, 0, 7, Purpose.DATA.ordinal()};
      Philox.encrypt(counter, 0x89abcdef, 0x01234567);
      for (int word : counter) {
        assertEquals(word, random.nextInt());
      }
    }
  }

  @Test
  void streamsDiffer() {
    Set<Integer> first = new HashSet<>();
    for (Purpose purpose : Purpose.values()) {
      for (int index = 0; index < 100; index++) {
        assertTrue(first.add(new Philox(1, purpose, index).nextInt()));
      }
    }
    assertNotEquals(
        new Philox(1, Purpose.DATA, 0).nextInt(), new Philox(1L << 32, Purpose.DATA, 0).nextInt());
  }

  @Test
  void uniformNumbers() {
    Philox random = new Philox(1, Purpose.DATA, 0);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < MANY; i++) {
      double u = random.nextDouble();
      assertTrue(u >= 0 && u < 1);
      sum += u;
      squares += u * u;
    }
    // Five standard errors.
    assertEquals(0.5, sum / MANY, 5 * Math.sqrt(1 / 12.0 / MANY));
    assertEquals(1 / 3.0, squares / MANY, 5 * Math.sqrt(4 / 45.0 / MANY));
  }

  @Test
  void gaussianMoments() {
    Philox random = new Philox(2, Purpose.DATA, 0);
    double[] moments = new double[5];
    double lag = 0;
    double before = 0;
    for (int i = 0; i < MANY; i++) {
      double z = random.nextGaussian();
      double power = 1;
      for (int k = 1; k <= 4; k++) {
        power *= z;
        moments[k] += power / MANY;
      }
      lag += z * before / MANY;
      before = z;
    }
    // Five standard errors, from the moments 1, 3, 15 and 105 of even order.
    assertEquals(0, moments[1], 5 * Math.sqrt(1.0 / MANY));
    assertEquals(1, moments[2], 5 * Math.sqrt(2.0 / MANY));
    assertEquals(0, moments[3], 5 * Math.sqrt(15.0 / MANY));
    assertEquals(3, moments[4], 5 * Math.sqrt(96.0 / MANY));
    assertEquals(0, lag, 5 * Math.sqrt(1.0 / MANY));
  }

  @Test
  void integersAreUnbiased() {
    for (int bound : new int[] {1, 2, 3, 7, 10}) {
      int[] counts = new int[bound];
      Philox random = new Philox(3, Purpose.DATA, bound);
      for (int i = 0; i < MANY; i++) {
        counts[random.nextInt(bound)]++;
      }
      double expected = (double) MANY / bound;
      double chiSquare =
          Arrays.stream(counts).mapToDouble(c -> (c - expected) * (c - expected)).sum() / expected;
      assertTrue(chiSquare < bound + 5 * Math.sqrt(2.0 * bound), bound + ": " + chiSquare);
    }
    // Without rejection, every third result would be twice as likely for this bound.
    int bound = 3 << 29;
    int[] residues = new int[3];
    Philox random = new Philox(3, Purpose.DATA, 0);
    for (int i = 0; i < MANY; i++) {
      int value = random.nextInt(bound);
      assertTrue(value >= 0 && value < bound);
      residues[value % 3]++;
    }
    for (int count : residues) {
      assertEquals(MANY / 3.0, count, 5 * Math.sqrt(MANY * 2 / 9.0));
    }
    assertThrows(IllegalArgumentException.class, () -> random.nextInt(0));
    assertThrows(IllegalArgumentException.class, () -> random.nextInt(-5));
  }

  @Test
  void shufflesArePermutationsAndAllAppearEquallyOften() {
    int[] many = IntStream.range(0, 1000).toArray();
    new Philox(4, Purpose.SHUFFLE, 0).shuffle(many);
    assertFalse(Arrays.equals(IntStream.range(0, 1000).toArray(), many));
    Arrays.sort(many);
    assertArrayEquals(IntStream.range(0, 1000).toArray(), many);

    int[] counts = new int[210 + 1]; // by the digits of an order of 0, 1, 2
    Philox random = new Philox(4, Purpose.SHUFFLE, 1);
    int trials = 60_000;
    for (int i = 0; i < trials; i++) {
      int[] three = {0, 1, 2};
      random.shuffle(three);
      counts[100 * three[0] + 10 * three[1] + three[2]]++;
    }
    for (int order : new int[] {12, 21, 102, 120, 201, 210}) {
      assertEquals(trials / 6.0, counts[order], 5 * Math.sqrt(trials * 5 / 36.0), "order " + order);
    }
    new Philox(4, Purpose.SHUFFLE, 2).shuffle(new int[0]);
  }
}

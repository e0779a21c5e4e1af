package io.deltarule.random;

/**
 * Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3" (SC 2011): a block of four 32-bit numbers is a pure function of a 128-bit counter and a
 * 64-bit key, so that any engine can draw any of them in any order and all see the same.
 *
 * <p>Here the key is the seed, and the counter is (block, index, purpose): each use of randomness
 * has a stream of its own for each index (a layer, an epoch). Not safe for concurrent use.
 */
public final class Philox {

  /** What a stream is drawn for; streams of different purposes never meet. */
  public enum Purpose {
    /** Initial weights; the index is the layer. */
    INITIALISE,
    /** The order of the rows; the index is the epoch. */
    SHUFFLE,
    /** The split of a data set; the index tells the splits apart. */
    SPLIT,
    /** Random data for benchmarks and checks; the index is the caller's. */
    DATA
  }

  private static final int MULTIPLIER_0 = 0xD2511F53;
  private static final int MULTIPLIER_1 = 0xCD9E8D57;
  private static final int WEYL_0 = 0x9E3779B9;
  private static final int WEYL_1 = 0xBB67AE85;
  private static final int ROUNDS = 10;

  private final int key0;
  private final int key1;
  private final int index;
  private final int purpose;
  private final int[] block = new int[4];
  private long next; // the number of the next block
  private int used = 4; // how many of the block's four numbers are spent
  private double spareGaussian = Double.NaN;

  /**
   * A stream from its start.
   *
   * @param seed the key
   * @param purpose what the stream is for
   * @param index which of the purpose's streams
   */
  public Philox(long seed, Purpose purpose, int index) {
    this.key0 = (int) seed;
    this.key1 = (int) (seed >>> 32);
    this.index = index;
    this.purpose = purpose.ordinal();
  }

  /**
   * One block: the bijection itself.
   *
   * @param counter four words, replaced by the four random words
   * @param key0 the key's low word
   * @param key1 the key's high word
   */
  static void encrypt(int[] counter, int key0, int key1) {
    int c0 = counter[0];
    int c1 = counter[1];
    int c2 = counter[2];
    int c3 = counter[3];
    for (int round = 0; round < ROUNDS; round++) {
      long product0 = (MULTIPLIER_0 & 0xFFFFFFFFL) * (c0 & 0xFFFFFFFFL);
      long product1 = (MULTIPLIER_1 & 0xFFFFFFFFL) * (c2 & 0xFFFFFFFFL);
      c0 = (int) (product1 >>> 32) ^ c1 ^ key0;
      c1 = (int) product1;
      c2 = (int) (product0 >>> 32) ^ c3 ^ key1;
      c3 = (int) product0;
      key0 += WEYL_0;
      key1 += WEYL_1;
    }
    counter[0] = c0;
    counter[1] = c1;
    counter[2] = c2;
    counter[3] = c3;
  }

  /**
   * The next 32 random bits.
   *
   * @return any int, all equally likely
   */
  public int nextInt() {
    if (used == 4) {
      block[0] = (int) next;
      block[1] = (int) (next >>> 32);
      block[2] = index;
      block[3] = purpose;
      encrypt(block, key0, key1);
      next++;
      used = 0;
    }
    return block[used++];
  }

  /**
   * A uniform integer without bias (Lemire, "Fast random integer generation in an interval", 2019).
   *
   * @param bound above which no result lies, at least 1
   * @return from 0 to {@code bound - 1}
   */
  public int nextInt(int bound) {
    if (bound < 1) {
      throw new IllegalArgumentException("bound must be at least 1, not " + bound);
    }
    long product = (nextInt() & 0xFFFFFFFFL) * bound;
    if ((product & 0xFFFFFFFFL) < bound) {
      long threshold = 0x100000000L % bound;
      while ((product & 0xFFFFFFFFL) < threshold) {
        product = (nextInt() & 0xFFFFFFFFL) * bound;
      }
    }
    return (int) (product >>> 32);
  }

  /**
   * A uniform number.
   *
   * @return in [0, 1), a multiple of 2^-53
   */
  public double nextDouble() {
    long high = nextInt() & 0xFFFFFFFFL;
    long low = nextInt() & 0xFFFFFFFFL;
    return (((high << 32) | low) >>> 11) * 0x1.0p-53;
  }

  /**
   * A number from the standard normal distribution (Box and Muller, 1958), by StrictMath so that
   * every Java gives the same bits.
   *
   * @return of mean 0 and variance 1
   */
  public double nextGaussian() {
    if (spareGaussian == spareGaussian) {
      double spare = spareGaussian;
      spareGaussian = Double.NaN;
      return spare;
    }
    double radius = Math.sqrt(-2 * StrictMath.log(1 - nextDouble()));
    double angle = 2 * Math.PI * nextDouble();
    spareGaussian = radius * StrictMath.sin(angle);
    return radius * StrictMath.cos(angle);
  }

  /**
   * Shuffles in place; every order is equally likely (Fisher and Yates, in Durstenfeld's form).
   *
   * @param values to be put in a random order
   */
  public void shuffle(int[] values) {
    for (int i = values.length - 1; i > 0; i--) {
      int j = nextInt(i + 1);
      int swap = values[i];
      values[i] = values[j];
      values[j] = swap;
    }
  }
}

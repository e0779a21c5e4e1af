package io.deltarule.bench;

/** Matrix products of a library, in the three operand orders that backpropagation has. */
public interface Multiplier extends AutoCloseable {

  /** Which operands are stored transposed; every matrix is row-major. */
  enum Order {
    /** C [m x n] = A [m x k] B [k x n]: error propagation. */
    NN,
    /** C [m x n] = A [m x k] B' with B [n x k]: forward. */
    NT,
    /** C [m x n] = A' B with A [k x m] and B [k x n]: the weight gradient. */
    TN
  }

  /**
   * The library, its version and the kernels that it chose.
   *
   * @return for the table
   */
  String version();

  /**
   * Chooses the threads, before any product.
   *
   * @param threads at least 1
   */
  void use(int threads);

  /**
   * Prepares a product.
   *
   * @param order of the operands
   * @param a first operand
   * @param b second operand
   * @param m rows of the product
   * @param n columns of the product
   * @param k length of the sums
   * @return computes it, each time it is run
   */
  Runnable product(Order order, float[] a, float[] b, int m, int n, int k);

  @Override
  default void close() {}
}

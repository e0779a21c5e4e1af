package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;

/**
 * The equations in which a step spends its time, see {@link io.deltarule.engine.Engine}.
 *
 * <p>Every element of a matrix product has the bits of the same operations everywhere: the terms
 * are cut into stretches ({@link #stretch}), each is one chain of fused multiply-adds over
 * ascending terms that starts at zero, and the stretches are added in their order; then follow the
 * bias and the activation, or the mask. A {@link #thin} forward product is the exception, as {@link
 * Dots} says. So the bits depend on the shapes alone: not on the processor's vectors, tiles, blocks
 * or threads, and an engine may change from one implementation to another.
 */
interface Kernels {

  /**
   * The most terms of a chain. A tile's rows of A and columns of B are then read from the
   * second-level cache, without loss; where a chain ends costs more: with 400, 2 to 4 % of products
   * of 1024 or 2048 terms.
   */
  int LONGEST_STRETCH = 800;

  /** How many terms each stretch has, but for the last, when a sum has so many; at least 8. */
  static int stretch(int terms) {
    int stretches = Math.max(1, (terms + LONGEST_STRETCH - 1) / LONGEST_STRETCH);
    int even = (terms + stretches - 1) / stretches;
    return Math.max(8, (even + 7) / 8 * 8);
  }

  /** Multiply-adds that are worth another thread. */
  long WORTH_SHARING = 1 << 20;

  /** Whether X W' is {@link Dots} of rows, being so small [m x n] that packing W does not pay. */
  static boolean thin(int m, int n) {
    return m < 8 || n < 16;
  }

  /**
   * Whether a result is so wide that its left operand is packed, whatever the vectors: 96 columns
   * are two of the widest tiles.
   */
  static boolean wide(int n) {
    return n > 96;
  }

  /** What they are computed in, for people. */
  String vectors();

  /** {@code A = f(X W' + 1 b')}. */
  void forward(
      Operand<HostBlock> x,
      Operand<HostBlock> w,
      Operand<HostBlock> b,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> a);

  /** {@code E = (D W) (.) f'(saved)}. */
  void propagate(
      Operand<HostBlock> d,
      Operand<HostBlock> w,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> e);

  /** {@code dW = D' A}, {@code db = D' 1}. */
  void gradients(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db);

  /** The parameters theta after a step, of which the schedule's row has the numbers. */
  void update(
      UpdateRule rule,
      Operand<HostBlock> theta,
      Operand<HostBlock> gradient,
      Operand<HostBlock> state,
      Operand<HostBlock> schedule,
      int step);
}

package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;

/**
 * The three equations that are matrix products, see {@link io.deltarule.engine.Engine}. Every
 * element of a result is computed by a sequence of operations that depends on the shapes alone.
 */
interface Products {

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
}

package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;
import java.util.function.BooleanSupplier;

/**
 * The plain products until those in vectors are ready. The JIT compiler needs some seconds for
 * vectors, which until then run a hundred times slower than plain loops; the bits are the same.
 */
final class WarmingProducts implements Products {
  private final BooleanSupplier ready;
  private final Products last;
  private Products now;

  /**
   * Products that change once.
   *
   * @param ready when; asked before each product
   */
  WarmingProducts(Products first, Products last, BooleanSupplier ready) {
    this.ready = ready;
    this.last = last;
    now = first;
  }

  private Products now() {
    if (now != last && ready.getAsBoolean()) {
      now = last; // lets go of the plain ones' memory, too
    }
    return now;
  }

  @Override
  public String vectors() {
    return last.vectors();
  }

  @Override
  public void forward(
      Operand<HostBlock> x,
      Operand<HostBlock> w,
      Operand<HostBlock> b,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> a) {
    now().forward(x, w, b, f, saved, a);
  }

  @Override
  public void propagate(
      Operand<HostBlock> d,
      Operand<HostBlock> w,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> e) {
    now().propagate(d, w, f, saved, e);
  }

  @Override
  public void gradients(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    now().gradients(d, a, dw, db);
  }
}

package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import java.util.function.BooleanSupplier;

/**
 * The plain kernels until those in vectors are ready. The JIT compiler needs some seconds for
 * vectors, which until then run a hundred times slower than plain loops; the bits are the same.
 */
final class WarmingKernels implements Kernels {
  private final BooleanSupplier ready;
  private final Kernels last;
  private Kernels now;

  /**
   * Kernels that change once.
   *
   * @param ready when; asked before each call
   */
  WarmingKernels(Kernels first, Kernels last, BooleanSupplier ready) {
    this.ready = ready;
    this.last = last;
    now = first;
  }

  private Kernels now() {
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

  @Override
  public void update(
      UpdateRule rule,
      Operand<HostBlock> theta,
      Operand<HostBlock> gradient,
      Operand<HostBlock> state,
      Operand<HostBlock> schedule,
      int step) {
    now().update(rule, theta, gradient, state, schedule, step);
  }
}

package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import java.util.function.Supplier;

/**
 * The plain kernels until those in vectors are compiled. That takes some seconds, in which vectors
 * are a hundred times slower than plain loops; the bits are the same.
 */
final class WarmingKernels implements Kernels {
  private final Supplier<WarmUp.State> state;
  private final Kernels last;
  private Kernels now; // the plain ones, while they are needed

  /**
   * Kernels that change.
   *
   * @param state how far the last ones are; asked before each call, until all dense ones are
   *     compiled
   */
  WarmingKernels(Kernels first, Kernels last, Supplier<WarmUp.State> state) {
    this.state = state;
    this.last = last;
    now = first;
  }

  /** Those for a call. */
  private Kernels now(boolean wide) {
    if (now != last) {
      WarmUp.State reached = state.get();
      if (reached.compareTo(WarmUp.State.DENSE) >= 0) {
        now = last; // which asks whether to leave out zeros; lets go of the plain ones' memory, too
      } else if (wide && reached == WarmUp.State.WIDE) {
        return last;
      }
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
    now(!Kernels.thin(x.rows(), w.rows()) && Kernels.wide(w.rows())).forward(x, w, b, f, saved, a);
  }

  @Override
  public void propagate(
      Operand<HostBlock> d,
      Operand<HostBlock> w,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> e) {
    now(Kernels.wide(w.columns())).propagate(d, w, f, saved, e);
  }

  @Override
  public void gradients(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    now(d.columns() > 1).gradients(d, a, dw, db);
  }

  @Override
  public void update(
      UpdateRule rule,
      Operand<HostBlock> theta,
      Operand<HostBlock> gradient,
      Operand<HostBlock> state,
      Operand<HostBlock> schedule,
      int step) {
    now(false).update(rule, theta, gradient, state, schedule, step);
  }
}

package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import java.util.function.LongSupplier;

/** In vectors; the products in tiles of them. */
final class VectorKernels implements Kernels {
  private final ThinForward thinForward;
  private final ForwardProduct forward;
  private final PropagateProduct propagate;
  private final ThinGradients thinGradients;
  private final GradientsProduct gradients;
  private final Updates updates;

  /**
   * Kernels of an engine.
   *
   * @param leastSparse the multiply-adds from which on a product looks for zeros to leave out
   */
  VectorKernels(Workers workers, LongSupplier leastSparse) {
    Scratch scratch = new Scratch(workers.threads());
    SparseProduct sparse = new SparseProduct(workers, scratch, leastSparse);
    thinForward = new ThinForward(workers, dots());
    forward = new ForwardProduct(workers, scratch, sparse);
    propagate = new PropagateProduct(workers, scratch, sparse);
    thinGradients = new ThinGradients(workers, scratch);
    gradients = new GradientsProduct(workers, scratch, sparse);
    updates = new VectorUpdates(workers);
  }

  private static Dots dots() {
    return switch (Lanes.LANES) {
      case 16 -> new Dots16();
      case 8 -> new Dots8();
      default -> new Dots();
    };
  }

  @Override
  public String vectors() {
    return Lanes.SPECIES.vectorBitSize() + "-bit vectors";
  }

  @Override
  public void forward(
      Operand<HostBlock> x,
      Operand<HostBlock> w,
      Operand<HostBlock> b,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> a) {
    if (Kernels.thin(x.rows(), w.rows())) {
      thinForward.run(x, w, b, f, saved, a);
    } else {
      forward.run(x, w, b, f, saved, a);
    }
  }

  @Override
  public void propagate(
      Operand<HostBlock> d,
      Operand<HostBlock> w,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> e) {
    propagate.run(d, w, f, saved, e);
  }

  @Override
  public void gradients(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    if (d.columns() == 1) {
      thinGradients.run(d, a, dw, db);
    } else {
      gradients.run(d, a, dw, db);
    }
  }

  @Override
  public void update(
      UpdateRule rule,
      Operand<HostBlock> theta,
      Operand<HostBlock> gradient,
      Operand<HostBlock> state,
      Operand<HostBlock> schedule,
      int step) {
    updates.run(rule, theta, gradient, state, schedule, step);
  }
}

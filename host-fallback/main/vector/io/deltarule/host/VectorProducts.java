package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;

/** The products in tiles of vectors. */
final class VectorProducts implements Products {
  private final ThinForward thinForward;
  private final ForwardProduct forward;
  private final PropagateProduct propagate;
  private final GradientsProduct gradients;

  VectorProducts(Workers workers) {
    Scratch scratch = new Scratch(workers.threads());
    thinForward = new ThinForward(workers, dots());
    forward = new ForwardProduct(workers, scratch);
    propagate = new PropagateProduct(workers, scratch);
    gradients = new GradientsProduct(workers, scratch);
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
    if (Products.thin(x.rows(), w.rows())) {
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
    gradients.run(d, a, dw, db);
  }
}

package io.deltarule.cuda;

import io.deltarule.engine.spi.Operand;
import java.util.List;
import java.util.stream.Stream;

/**
 * How recorded calls are launched: a step of very small layers as one kernel; otherwise one by one,
 * but the bias gradient of a layer with the mask of its error signal, in one pass over it, and a
 * small weight gradient on a branch as soon as its factors are there.
 */
final class Plan {
  private final Equations equations;
  private final Products products;
  private final FusedStep fusedStep;
  private final Branch branch;

  Plan(Equations equations, Products products, FusedStep fusedStep, Branch branch) {
    this.equations = equations;
    this.products = products;
    this.fusedStep = fusedStep;
    this.branch = branch;
  }

  void launch(List<Op> ops, Workspace workspace) {
    if (fusedStep.launch(ops, workspace)) {
      return;
    }
    products.announceFactors(ops, workspace.halves());
    try {
      launchSingly(ops, workspace);
      branch.join();
    } finally {
      branch.abandon();
    }
  }

  private void launchSingly(List<Op> ops, Workspace workspace) {
    boolean[] summed = new boolean[ops.size()]; // gradients whose bias gradient is there already
    boolean[] branched = new boolean[ops.size()]; // and those whose weight gradient is
    for (int i = 0; i < ops.size(); i++) {
      branch.joinBefore(ops.get(i));
      int sums = ops.get(i) instanceof Op.Propagate propagate ? sumsOf(propagate, ops, i) : -1;
      if (sums >= 0) {
        summed[sums] = true;
        products.propagate(
            (Op.Propagate) ops.get(i), ((Op.Gradients) ops.get(sums)).db(), workspace);
      } else if (ops.get(i) instanceof Op.Gradients gradients) {
        if (!branched[i]) {
          products.weightGradient(gradients, workspace);
        }
        if (!summed[i]) {
          products.biasGradient(gradients.d(), gradients.db(), workspace);
        }
      } else {
        equations.launch(ops.get(i), workspace);
      }
      for (int j = i + 2; j < ops.size(); j++) {
        if (ops.get(j) instanceof Op.Gradients gradients
            && !branched[j]
            && branch.suits(gradients)
            && ops.subList(i + 1, j).stream().noneMatch(op -> Branch.collide(op, gradients))) {
          branched[j] = true;
          branch.weightGradient(gradients, workspace);
        }
      }
    }
  }

  /**
   * The gradients call that sums the error signal that call i computes, if nothing in between
   * writes the signal or touches the sums; otherwise -1.
   */
  private static int sumsOf(Op.Propagate propagate, List<Op> ops, int i) {
    for (int j = i + 1; j < ops.size(); j++) {
      if (ops.get(j) instanceof Op.Gradients gradients && gradients.d().coincides(propagate.e())) {
        Operand<CudaBlock> db = gradients.db();
        Stream<Op> between = ops.subList(i, j).stream();
        boolean early =
            between.noneMatch(op -> op.operands().stream().anyMatch(db::overlaps))
                && !db.overlaps(gradients.a());
        return early ? j : -1;
      }
      if (ops.get(j).results().stream().anyMatch(propagate.e()::overlaps)) {
        return -1;
      }
    }
    return -1;
  }
}

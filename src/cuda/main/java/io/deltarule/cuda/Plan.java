package io.deltarule.cuda;

import io.deltarule.engine.spi.Operand;
import java.util.List;
import java.util.stream.Stream;

/**
 * How recorded calls are launched: a narrow stack's whole step as one kernel; otherwise one by one,
 * but the bias gradient of a layer with the mask of its error signal, in one pass over it.
 */
final class Plan {
  private final Equations equations;
  private final Products products;
  private final FusedStep fusedStep;

  Plan(Equations equations, Products products, FusedStep fusedStep) {
    this.equations = equations;
    this.products = products;
    this.fusedStep = fusedStep;
  }

  void launch(List<Op> ops, Workspace workspace) {
    if (fusedStep.launch(ops, workspace)) {
      return;
    }
    products.announceFactors(ops, workspace.halves());
    boolean[] summed = new boolean[ops.size()]; // gradients whose bias gradient is there already
    for (int i = 0; i < ops.size(); i++) {
      int sums = ops.get(i) instanceof Op.Propagate propagate ? sumsOf(propagate, ops, i) : -1;
      if (sums >= 0) {
        summed[sums] = true;
        products.propagate(
            (Op.Propagate) ops.get(i), ((Op.Gradients) ops.get(sums)).db(), workspace);
      } else if (summed[i]) {
        products.weightGradient((Op.Gradients) ops.get(i), workspace);
      } else {
        equations.launch(ops.get(i), workspace);
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

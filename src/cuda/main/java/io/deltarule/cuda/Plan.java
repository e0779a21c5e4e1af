package io.deltarule.cuda;

import io.deltarule.engine.spi.Operand;
import java.util.List;
import java.util.stream.Stream;

/**
 * How recorded calls are launched, unless they are a step for one kernel: one by one, but the bias
 * gradient of a layer with the mask of its error signal, in one pass over it, and a small weight
 * gradient on a branch as soon as its factors are there.
 */
final class Plan {
  private final Equations equations;
  private final Products products;
  private final Branch branch;

  Plan(Equations equations, Products products, Branch branch) {
    this.equations = equations;
    this.products = products;
    this.branch = branch;
  }

  /**
   * Launches calls.
   *
   * @param scratch matrices that nobody reads after these calls
   */
  void launch(List<Op> ops, List<Operand<CudaBlock>> scratch, Workspace workspace) {
    products.announceCopies(ops, workspace.copies());
    workspace.copies().carry(ops);
    try {
      new Launch(ops, scratch, workspace).run();
      branch.join();
    } finally {
      branch.abandon();
    }
  }

  /** Makes what the launches take for granted, before they run. */
  void prepare(Workspace workspace) {
    products.refresh(workspace.copies());
  }

  /** Calls on their way. */
  private final class Launch {
    private final List<Op> ops;
    private final List<Operand<CudaBlock>> scratch;
    private final Workspace workspace;
    private final int[] sums; // of a propagation: the gradients whose bias gradient comes with it
    private final boolean[] summed; // whether a bias gradient comes with a mask
    private final boolean[] branched; // gradients whose weight gradient is there already

    Launch(List<Op> ops, List<Operand<CudaBlock>> scratch, Workspace workspace) {
      this.ops = ops;
      this.scratch = scratch;
      this.workspace = workspace;
      sums = new int[ops.size()];
      summed = new boolean[ops.size()];
      branched = new boolean[ops.size()];
      for (int i = 0; i < sums.length; i++) {
        sums[i] = ops.get(i) instanceof Op.Propagate propagate ? sumsOf(propagate, ops, i) : -1;
        if (sums[i] >= 0) {
          summed[i] = true;
          summed[sums[i]] = true;
        }
      }
    }

    void run() {
      for (int i = 0; i < ops.size(); i++) {
        branch.joinBefore(ops.get(i));
        launch(i);
        beginWeightGradients(i);
      }
    }

    private void launch(int i) {
      Op op = ops.get(i);
      if (op instanceof Op.Gather gather) {
        equations.gather(gather, readsFloats(gather.batch(), i), workspace);
      } else if (op instanceof Op.Forward forward) {
        products.forward(forward, readsFloats(forward.a(), i), workspace);
      } else if (op instanceof Op.Propagate propagate && summed[i]) {
        Op.Gradients gradients = (Op.Gradients) ops.get(sums[i]);
        products.propagateAndSum(
            propagate, gradients.db(), readsFloats(propagate.e(), i), workspace);
      } else if (op instanceof Op.Gradients gradients) {
        if (!branched[i]) {
          products.weightGradient(gradients, workspace);
        }
        if (!summed[i]) {
          products.biasGradient(gradients.d(), gradients.db(), workspace);
        }
      } else {
        equations.launch(op, workspace);
      }
    }

    /** Begins on the branch what may run beside the calls after call i. */
    private void beginWeightGradients(int i) {
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

    /**
     * Whether somebody reads the floats of what call i computes, and not only the copy in bf16 that
     * it computes as well: a later call, or whoever looks after them all.
     */
    private boolean readsFloats(Operand<CudaBlock> result, int i) {
      if (workspace.copies().toWrite(result) == null
          || scratch.stream().noneMatch(result::liesWithin)) {
        return true;
      }
      for (int j = i + 1; j < ops.size(); j++) {
        if (products.readsFloats(ops.get(j), result, summed[j])) {
          return true;
        }
        if (ops.get(j).results().stream().anyMatch(result::overlaps)) {
          return ops.get(j).results().stream().noneMatch(result::coincides);
        }
      }
      return false;
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

package io.deltarule.cuda;

import io.deltarule.engine.spi.Operand;
import java.util.List;

/**
 * How recorded calls are launched, unless they are a step for one kernel: one by one, but the bias
 * gradient of a layer with the mask of its error signal, in one pass over it; the gradients of a
 * layer of one unit with the propagation of its error, likewise; a batch's inputs and targets; and
 * small gradients on a branch as soon as their factors are there.
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
    private final Op.Gradients[] sums; // of a propagation: whose bias gradient comes with it
    private final Op.Gradients[] above; // of a propagation: the gradients that come with it
    private final boolean[] summed; // whether a bias gradient comes with a mask
    private final boolean[] launched; // what another call's launch has done

    Launch(List<Op> ops, List<Operand<CudaBlock>> scratch, Workspace workspace) {
      this.ops = ops;
      this.scratch = scratch;
      this.workspace = workspace;
      sums = new Op.Gradients[ops.size()];
      above = new Op.Gradients[ops.size()];
      summed = new boolean[ops.size()];
      launched = new boolean[ops.size()];
      for (int i = 0; i < ops.size(); i++) {
        if (ops.get(i) instanceof Op.Propagate propagate) {
          findSums(propagate, i);
          findGradientsAbove(propagate, i);
        }
      }
    }

    /**
     * Finds the call whose bias gradient sums the error signal that call i computes, if nothing in
     * between writes the signal or touches the sums.
     */
    private void findSums(Op.Propagate propagate, int i) {
      for (int j = i + 1; j < ops.size(); j++) {
        if (ops.get(j) instanceof Op.Gradients gradients
            && gradients.d().coincides(propagate.e())) {
          Operand<CudaBlock> db = gradients.db();
          if (!products.givesBiasGradient(gradients)
              && ops.subList(i, j).stream().noneMatch(op -> touches(op, db))) {
            sums[i] = gradients;
            summed[i] = true;
            summed[j] = true;
          }
          return;
        }
        if (ops.get(j).results().stream().anyMatch(propagate.e()::overlaps)) {
          return;
        }
      }
    }

    /** Finds the gradients that come with call i, if they may be computed as early. */
    private void findGradientsAbove(Op.Propagate propagate, int i) {
      for (int j = i + 1; j < ops.size(); j++) {
        if (ops.get(j) instanceof Op.Gradients gradients
            && !launched[j]
            && products.comesWith(gradients, propagate)
            && ops.subList(i, j).stream().noneMatch(op -> Branch.collide(op, gradients))) {
          above[i] = gradients;
          launched[j] = true;
          return;
        }
      }
    }

    void run() {
      for (int i = 0; i < ops.size(); i++) {
        branch.joinBefore(ops.get(i));
        launch(i);
        beginSmallGradients(i);
      }
    }

    private void launch(int i) {
      Op op = ops.get(i);
      if (op instanceof Op.Gather gather) {
        if (!launched[i]) {
          equations.gather(
              gather, gatheredWith(gather, i + 1), readsFloats(gather.batch(), i), workspace);
        }
      } else if (op instanceof Op.Forward forward) {
        products.forward(forward, readsFloats(forward.a(), i), workspace);
      } else if (op instanceof Op.Propagate propagate) {
        products.propagate(
            propagate,
            sums[i] == null ? null : sums[i].db(),
            above[i],
            readsFloats(propagate.e(), i),
            workspace);
      } else if (op instanceof Op.Gradients gradients) {
        if (!launched[i]) {
          products.gradients(gradients, summed[i], workspace);
        }
      } else {
        equations.launch(op, workspace);
      }
    }

    /** Call j, if it gathers the same rows of other data and may do so in the same launch. */
    private Op.Gather gatheredWith(Op.Gather first, int j) {
      if (j < ops.size()
          && ops.get(j) instanceof Op.Gather second
          && second.rows() == first.rows()
          && second.at() == first.at()
          && second.batch().rows() == first.batch().rows()
          && !workspace.copies().isExpected(second.batch())
          && second.operands().stream().noneMatch(first.batch()::overlaps)
          && !second.batch().overlaps(first.data())) {
        launched[j] = true;
        return second;
      }
      return null;
    }

    /** Begins on the branch what may run beside the calls after call i. */
    private void beginSmallGradients(int i) {
      for (int j = i + 2; j < ops.size(); j++) {
        if (ops.get(j) instanceof Op.Gradients gradients
            && !launched[j]
            && branch.suits(gradients)
            && ops.subList(i + 1, j).stream().noneMatch(op -> Branch.collide(op, gradients))) {
          launched[j] = true;
          branch.gradients(gradients, workspace);
        }
      }
    }

    /**
     * Whether somebody reads the floats of what call i computes, and not only the copy in bf16 that
     * it computes as well: a later call, or whoever looks after them all.
     */
    private boolean readsFloats(Operand<CudaBlock> result, int i) {
      if (!workspace.copies().isExpected(result)
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

  private static boolean touches(Op op, Operand<CudaBlock> matrix) {
    return op.operands().stream().anyMatch(matrix::overlaps);
  }
}

package io.deltarule.cuda;

import io.deltarule.cuda.Branch.Task;
import io.deltarule.engine.spi.Operand;
import java.util.List;
import java.util.stream.Stream;

/**
 * How recorded calls are launched, unless they are a step for one kernel: one by one, but the bias
 * gradient of a layer with the mask of its error signal, in one pass over it, and beside the others
 * as soon as it can be what is small and not urgent: on one branch weight gradients, on another
 * other bias gradients, the sum of the loss, and a gathering for later.
 */
final class Plan {
  private final Equations equations;
  private final Products products;
  private final Branch weights;
  private final Branch aside;

  Plan(Equations equations, Branch weights, Branch aside) {
    this.equations = equations;
    products = equations.products();
    this.weights = weights;
    this.aside = aside;
  }

  /**
   * Launches calls.
   *
   * @param scratch matrices that nobody reads after these calls
   */
  void launch(List<Op> ops, List<Operand<CudaBlock>> scratch, Workspace workspace) {
    products.announceCopies(ops, workspace.copies());
    try {
      new Launch(ops, scratch, workspace).run();
      weights.join();
      aside.join();
    } finally {
      weights.abandon();
      aside.abandon();
    }
  }

  /** Calls on their way. */
  private final class Launch {
    private final List<Op> ops;
    private final List<Operand<CudaBlock>> scratch;
    private final Workspace workspace;
    private final int[] sums; // of a propagation: the gradients whose bias gradient comes with it
    private final boolean[] summed; // whether a bias gradient comes with a mask
    private final boolean[] begun; // whether the branch of its kind has a call, or its weights
    private final boolean[] biasBegun;

    Launch(List<Op> ops, List<Operand<CudaBlock>> scratch, Workspace workspace) {
      this.ops = ops;
      this.scratch = scratch;
      this.workspace = workspace;
      sums = new int[ops.size()];
      summed = new boolean[ops.size()];
      begun = new boolean[ops.size()];
      biasBegun = new boolean[ops.size()];
      for (int i = 0; i < sums.length; i++) {
        sums[i] = ops.get(i) instanceof Op.Propagate propagate ? sumsOf(propagate, ops, i) : -1;
        if (sums[i] >= 0) {
          summed[i] = true;
          summed[sums[i]] = true;
        }
      }
    }

    void run() {
      beginBranches(-1);
      for (int i = 0; i < ops.size(); i++) {
        weights.joinBefore(ops.get(i));
        aside.joinBefore(ops.get(i));
        launch(i);
        beginBranches(i);
      }
    }

    private void launch(int i) {
      Op op = ops.get(i);
      if (op instanceof Op.Gather gather) {
        if (!begun[i]) {
          equations.gather(gather, readsFloats(gather.batch(), i), workspace);
        }
      } else if (op instanceof Op.Forward forward) {
        products.forward(forward, readsFloats(forward.a(), i), workspace);
      } else if (op instanceof Op.OutputError error) {
        aside.join(); // where the loss before this one may be added still
        if (equations.outputError(error, workspace)) {
          aside.begin(new Task(List.of(), List.of(error.losses()))).sumLosses(error);
        }
      } else if (op instanceof Op.Propagate propagate && summed[i]) {
        Op.Gradients gradients = (Op.Gradients) ops.get(sums[i]);
        products.propagateAndSum(
            propagate, gradients.db(), readsFloats(propagate.e(), i), workspace);
      } else if (op instanceof Op.Gradients gradients) {
        if (!begun[i]) {
          products.weightGradient(gradients, workspace);
        }
        if (!summed[i] && !biasBegun[i]) {
          products.biasGradient(gradients.d(), gradients.db(), workspace);
        }
      } else {
        equations.launch(op, workspace);
      }
    }

    /** Begins what may go beside the calls after call i. */
    private void beginBranches(int i) {
      for (int j = i + 2; j < ops.size(); j++) {
        if (ops.get(j) instanceof Op.Gather gather && !begun[j]) {
          Task task = new Task(List.of(gather.data()), List.of(gather.batch()));
          if (isFree(task, i, j)) {
            begun[j] = true;
            aside.begin(task).gather(gather, readsFloats(gather.batch(), j), workspace);
          }
        } else if (ops.get(j) instanceof Op.Gradients gradients) {
          Task bias = new Task(List.of(gradients.d()), List.of(gradients.db()));
          if (!summed[j] && !biasBegun[j] && isFree(bias, i, j)) {
            biasBegun[j] = true;
            aside.begin(bias).products().biasGradient(gradients.d(), gradients.db(), workspace);
          }
          Task weight = new Task(List.of(gradients.d(), gradients.a()), List.of(gradients.dw()));
          if (!begun[j] && products.smallGradient(gradients) && isFree(weight, i, j)) {
            begun[j] = true;
            weights.begin(weight).products().weightGradient(gradients, workspace);
          }
        }
      }
    }

    /** Whether no call between calls i and j matters to a part of call j. */
    private boolean isFree(Task task, int i, int j) {
      return ops.subList(i + 1, j).stream().noneMatch(task::collides);
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

package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;

import io.deltarule.cuda.WeightCopies.WeightCopy;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import java.util.List;
import java.util.stream.LongStream;
import jcuda.driver.CUstream;

/** The launches of each equation. */
final class Equations implements AutoCloseable {

  /** The most blocks of an output error, and the numbers in {@link #partialLosses}. */
  static final int MOST_PARTIALS = 256;

  /** An output error takes another block for so many times the threads of one. */
  private static final int ELEMENTS_OF_THREAD = 2;

  private final Launcher launcher;
  private final Kernels kernels;
  private final Products products;
  private final CUstream stream;
  private final Timeline timeline;
  private final CudaBlock partialLosses; // [MOST_PARTIALS]

  Equations(
      Launcher launcher,
      Kernels kernels,
      Products products,
      Memory memory,
      CUstream stream,
      Timeline timeline) {
    this.launcher = launcher;
    this.kernels = kernels;
    this.products = products;
    this.stream = stream;
    this.timeline = timeline;
    partialLosses = memory.zeros(MOST_PARTIALS);
  }

  void launch(Op op, Workspace workspace) {
    Copies copies = workspace.copies();
    if (op instanceof Op.Copy copy) {
      copy(copy);
      copies.written(copy.to(), false);
    } else if (op instanceof Op.Advance advance) {
      launcher.begin(kernels.cursorAdvance()).block(advance.cursor().block()).blocks(1, 1);
    } else if (op instanceof Op.Gather gather) {
      gather(gather, null, true, workspace);
    } else if (op instanceof Op.Forward forward) {
      products.forward(forward, workspace);
    } else if (op instanceof Op.OutputError error) {
      outputError(error);
      error.results().forEach(result -> copies.written(result, false));
    } else if (op instanceof Op.Propagate propagate) {
      products.propagate(propagate, workspace);
    } else if (op instanceof Op.Gradients gradients) {
      products.gradients(gradients, false, workspace);
    } else if (op instanceof Op.Update update) {
      update(update, copies.carriedIn(update.theta()));
      update.results().forEach(result -> copies.written(result, false));
    } else {
      throw new AssertionError(op);
    }
  }

  private void copy(Op.Copy op) {
    if (op.from().size() > 0) {
      timeline.use(op.from().block());
      timeline.use(op.to().block());
      Cuda.check(
          cuMemcpyDtoDAsync(
              op.to().block().address().plus(4 * op.to().offset()),
              op.from().block().address().plus(4 * op.from().offset()),
              4 * op.from().size(),
              stream),
          "cuMemcpyDtoDAsync",
          op.from());
    }
  }

  /**
   * Launches {@code X = data[rows]}, and {@code Y = data[rows]} of the same rows, or not.
   *
   * @param targets of Y, which has no copy; or null
   * @param keep whether X is needed as floats, not only as the copy that the next product takes
   */
  void gather(Op.Gather op, Op.Gather targets, boolean keep, Workspace workspace) {
    int m = op.batch().rows();
    int n = op.batch().columns();
    Address half = workspace.copies().toWrite(op.batch());
    int pitch = half == null ? n : Copies.pitch(n);
    long groups = Kernels.blocksOfVectors((long) m * pitch);
    long groupsOfTargets = targets == null ? 0 : Kernels.blocksOfVectors(targets.batch().size());
    if (groups + groupsOfTargets == 0) {
      return;
    }
    launcher
        .begin(kernels.gatherBatch())
        .number(m)
        .number(n)
        .number(pitch)
        .number(keep ? 1 : 0)
        .number(op.rows().columns())
        .number((int) Math.min(Integer.MAX_VALUE, groups))
        .number(targets == null ? 0 : targets.batch().columns())
        .block(op.rows().block())
        .block(op.at().block())
        .matrix(op.data())
        .matrix(op.batch())
        .address(half)
        .address(targets == null ? null : products.used(targets.data()))
        .address(targets == null ? null : products.used(targets.batch()))
        .blocks(groups + groupsOfTargets, 1);
    workspace.copies().written(op.batch(), half != null);
    if (targets != null) {
      workspace.copies().written(targets.batch(), false);
    }
  }

  private void outputError(Op.OutputError op) {
    Kernel kernel =
        switch (op.output()) {
          case SIGMOID -> kernels.outputErrorSigmoid();
          case SOFTMAX -> kernels.outputErrorSoftmax();
          case LINEAR -> kernels.outputErrorLinear();
        };
    int blocks = blocksOfOutputError(op);
    launcher
        .begin(kernel)
        .number(op.z().rows())
        .number(op.z().columns())
        .matrix(op.z())
        .matrix(op.y())
        .matrix(op.d())
        .block(partialLosses)
        .matrix(op.losses())
        .block(op.at().block())
        .blocks(blocks, 1);
    if (blocks > 1) {
      launcher
          .begin(kernels.sumLosses())
          .number(blocks)
          .block(partialLosses)
          .matrix(op.losses())
          .block(op.at().block())
          .blocks(1, 1);
    }
  }

  /** How many, which is also the order of the loss's sum; one even for no rows: the loss is 0. */
  static int blocksOfOutputError(Op.OutputError op) {
    long blocks = Kernels.ceil(op.z().size(), ELEMENTS_OF_THREAD * Kernels.THREADS_OF_ERROR);
    return (int) Math.max(1, Math.min(MOST_PARTIALS, blocks));
  }

  private void update(Op.Update op, List<WeightCopy> carried) {
    if (op.theta().size() == 0) {
      return;
    }
    UpdateRule rule = op.rule();
    Kernels.Updates updates = carried.isEmpty() ? kernels.updates() : kernels.updatesBf16();
    launcher
        .begin(updates.by(rule))
        .index(op.theta().size())
        .matrix(op.theta())
        .matrix(op.gradient())
        .matrix(op.schedule())
        .block(op.at().block());
    if (rule instanceof UpdateRule.Momentum momentum) {
      launcher.matrix(op.state()).number(momentum.momentum());
    } else if (rule instanceof UpdateRule.Adam adam) {
      launcher.matrix(op.state()).number(adam.beta1()).number(adam.beta2()).number(adam.epsilon());
    }
    if (!carried.isEmpty()) {
      launcher.table(table(carried, op.theta()));
    }
    launcher.blocks(Kernels.blocksOfVectors(op.theta().size()), 1);
  }

  /** The table that update_bf16.cu describes. */
  private static long[] table(List<WeightCopy> carried, Operand<CudaBlock> theta) {
    LongStream copies =
        carried.stream()
            .flatMapToLong(
                copy ->
                    LongStream.of(
                        copy.matrix().offset() - theta.offset(),
                        copy.matrix().size(),
                        copy.matrix().columns(),
                        Copies.pitch(copy.matrix().columns()),
                        copy.address().number()));
    return LongStream.concat(LongStream.of(carried.size()), copies).toArray();
  }

  @Override
  public void close() {
    partialLosses.release();
  }
}

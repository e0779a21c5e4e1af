package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor;

import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.Replay;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import jcuda.Pointer;

/**
 * The whole training step of a stack of very small layers as one kernel, since its time would
 * otherwise go to launches: stack_block if one multiprocessor is enough for it, or stack_step.
 * Either leaves in every matrix the bits that the single launches leave.
 */
final class FusedStep {
  /**
   * A phase that has work for more is no matter of launches: on an H200 30-64-32-1, batch 32, takes
   * 18 us in one kernel and 20 in single ones; 28-300-300-300-300-300-1, batch 100, took 106 when
   * it took 81 in single ones, which it takes 67 in now.
   */
  private static final int MOST_BLOCKS_OF_MULTIPROCESSOR = 2;

  /**
   * A step of more is faster on several multiprocessors: on an H200 30-64-32-1 takes 9 and 13 us by
   * one block with batches of 32 and 64, which are 0.32 and 0.65 million, and 18 by several.
   */
  private static final long MOST_MULTIPLICATIONS_OF_BLOCK = 750_000;

  /** What the one block's softmax has lanes for. */
  private static final int MOST_CLASSES_OF_BLOCK = 128;

  private final Launcher launcher;
  private final Kernels kernels;
  private final Products products;
  private final Timeline timeline;
  private final Transfers transfers;
  private final Device device;
  private final int mostBlocks;

  FusedStep(
      Launcher launcher,
      Kernels kernels,
      Products products,
      Timeline timeline,
      Transfers transfers,
      Device device) {
    this.launcher = launcher;
    this.kernels = kernels;
    this.products = products;
    this.timeline = timeline;
    this.transfers = transfers;
    this.device = device;
    mostBlocks = mostBlocks(kernels.stackStep(), device);
  }

  /** All of them have to be resident at once. */
  private static int mostBlocks(Kernel kernel, Device device) {
    int[] blocks = new int[1];
    Cuda.check(
        cuOccupancyMaxActiveBlocksPerMultiprocessor(
            blocks, kernel.function(), kernel.threadsX() * kernel.threadsY(), 0),
        "cuOccupancyMaxActiveBlocksPerMultiprocessor",
        kernel.name());
    return Math.min(blocks[0], MOST_BLOCKS_OF_MULTIPROCESSOR) * device.multiprocessors();
  }

  /**
   * The calls as one kernel, if they are such a step; otherwise null.
   *
   * @param workspace for it, which the result owns; untouched if there is none
   */
  Replay prepare(List<Op> ops, Workspace workspace) {
    TrainingCalls calls = TrainingCalls.of(ops);
    if (calls == null || !isSmall(calls) || !calls.resultsAreApart()) {
      return null;
    }
    BlockLayout layout = layout(calls);
    if (fitsOneBlock(calls, layout)) {
      int bytes = (int) layout.bytes();
      return new Prepared(
          calls,
          layout,
          workspace,
          argument -> launcher.oneBlock(kernels.stackBlock(), argument, bytes));
    }
    long blocks = blocks(calls);
    return device.cooperative() && blocks <= mostBlocks
        ? new Prepared(
            calls,
            layout,
            workspace,
            argument -> launcher.cooperative(kernels.stackStep(), argument, (int) blocks))
        : null;
  }

  /** A step that can be launched, so many times in a row by one launch. */
  private final class Prepared implements Replay {
    private final StackTable table;
    private final CudaBlock[] used;
    private final Workspace workspace;
    private final Consumer<Pointer> launch; // with the table as its argument
    private boolean closed;

    Prepared(
        TrainingCalls calls, BlockLayout layout, Workspace workspace, Consumer<Pointer> launch) {
      this.workspace = workspace;
      this.launch = launch;
      used =
          Stream.concat(
                  calls.ops().stream().flatMap(op -> op.operands().stream().map(Operand::block)),
                  Stream.of(calls.inputs().rows().block(), calls.update().at().block()))
              .distinct()
              .toArray(CudaBlock[]::new);
      try {
        table = new StackTable(calls, layout, workspace, transfers);
      } catch (RuntimeException | Error e) {
        workspace.close();
        throw e;
      }
    }

    @Override
    public void run(int times) {
      launch.accept(table.argument(times));
      timeline.useAll(used);
      if (transfers.anySinceLastAsked()) {
        timeline.mark(); // as after a graph
      }
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        workspace.close(); // which waits for the stream
      }
    }
  }

  private boolean isSmall(TrainingCalls calls) {
    int m = calls.rows();
    return m > 0
        && !Kernels.tall(m) // which has other kernels for a layer of one unit
        && calls.layers().size() <= StackTable.MOST_LAYERS
        && calls.layers().stream()
            .allMatch(
                layer ->
                    layer.n() > 0
                        && layer.k() > 0
                        && products.small(m, layer.n(), layer.k())
                        && products.small(m, layer.k(), layer.n())
                        && products.isSmall(layer.gradients()));
  }

  private static BlockLayout layout(TrainingCalls calls) {
    UpdateRule rule = calls.update().rule();
    Stream<Integer> widths = calls.layers().stream().map(TrainingCalls.Layer::n);
    return new BlockLayout(
        calls.rows(),
        Stream.concat(Stream.of(calls.layers().get(0).k()), widths).toList(),
        calls.layers().stream().map(layer -> layer.forward().f().savesInput()).toList(),
        rule.stateRows());
  }

  private boolean fitsOneBlock(TrainingCalls calls, BlockLayout layout) {
    long multiplications = 0; // forward, of the gradients, and of the error signal below
    for (TrainingCalls.Layer layer : calls.layers()) {
      long product = (long) calls.rows() * layer.n() * layer.k();
      multiplications += product * (layer.propagate() == null ? 2 : 3);
    }
    TrainingCalls.Layer output = calls.layers().get(calls.layers().size() - 1);
    return multiplications <= MOST_MULTIPLICATIONS_OF_BLOCK
        && (calls.error().output() != Output.SOFTMAX || output.n() <= MOST_CLASSES_OF_BLOCK)
        && layout.bytes() <= kernels.mostBytesOfStackBlock();
  }

  /** As many blocks as the largest phase has work for. */
  private long blocks(TrainingCalls calls) {
    int m = calls.rows();
    long most = 1;
    for (TrainingCalls.Layer layer : calls.layers()) {
      long backward = kernels.narrow().count(layer.n(), layer.k() + 1); // dW and db
      if (layer.propagate() != null) {
        backward += kernels.narrow().count(m, layer.k());
      }
      most = Math.max(most, Math.max(backward, kernels.narrow().count(m, layer.n())));
    }
    return most;
  }
}

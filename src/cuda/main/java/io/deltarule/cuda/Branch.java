package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;

import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * Small gradients beside the rest of a recorded step: they need an error signal and activations
 * alone, and nothing needs them before the update, so they may fill what the propagation of the
 * error leaves idle of the card. A second stream, which the capture follows by its events. Large
 * products keep the card busy by themselves: of 784-1024-1024-1 on an H200 the branch gained
 * nothing.
 */
final class Branch implements AutoCloseable {
  private final CUstream main;
  private final CUstream side;
  private final Products products; // on the side stream
  private final CUevent forked;
  private final CUevent joined;
  private final List<Op.Gradients> running = new ArrayList<>();

  Branch(CUstream main, CUstream side, Products products) {
    this.main = main;
    this.side = side;
    this.products = products;
    forked = Timeline.event();
    try {
      joined = Timeline.event();
    } catch (RuntimeException | Error e) {
      Timeline.release(forked);
      throw e;
    }
  }

  /** Whether gradients are small. */
  boolean suits(Op.Gradients op) {
    return products.isSmall(op);
  }

  /** Computes gradients after what the main stream has been given so far. */
  void gradients(Op.Gradients op, Workspace workspace) {
    Cuda.check(cuEventRecord(forked, main), "cuEventRecord");
    Cuda.check(cuStreamWaitEvent(side, forked, 0), "cuStreamWaitEvent");
    products.gradients(op, false, workspace);
    running.add(op);
  }

  /** Lets the main stream wait, if a call needs what is computed here, or would overwrite it. */
  void joinBefore(Op op) {
    if (running.stream().anyMatch(gradients -> collide(op, gradients))) {
      join();
    }
  }

  /** Lets the main stream wait for all that is computed here. */
  void join() {
    if (!running.isEmpty()) {
      running.clear();
      Cuda.check(cuEventRecord(joined, side), "cuEventRecord");
      Cuda.check(cuStreamWaitEvent(main, joined, 0), "cuStreamWaitEvent");
    }
  }

  /** Forgets what was begun, when a capture has failed. */
  void abandon() {
    running.clear();
  }

  /** Whether the order of a call and gradients matters. */
  static boolean collide(Op op, Op.Gradients gradients) {
    Operand<CudaBlock> dw = gradients.dw();
    Operand<CudaBlock> db = gradients.db();
    return op.operands().stream().anyMatch(operand -> operand.overlaps(dw) || operand.overlaps(db))
        || op.results().stream()
            .anyMatch(result -> result.overlaps(gradients.d()) || result.overlaps(gradients.a()));
  }

  @Override
  public void close() {
    Timeline.release(joined);
    Timeline.release(forked);
  }
}

package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;

import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * Launches beside the rest of a recorded step, which fill what that leaves idle of the card: a
 * second stream, which the capture follows by its events.
 */
final class Branch implements AutoCloseable {
  private final CUstream main;
  private final CUstream side;
  private final Equations equations; // on the side stream
  private final CUevent forked;
  private final CUevent joined;
  private final List<Task> running = new ArrayList<>();

  /** What a launch beside the others reads and writes. */
  record Task(List<Operand<CudaBlock>> reads, List<Operand<CudaBlock>> writes) {

    /** Whether the order of a call and this matters. Who moves a cursor counts as if it did. */
    boolean collides(Op op) {
      return op instanceof Op.Advance
          || op.operands().stream().anyMatch(operand -> overlaps(writes, operand))
          || op.results().stream().anyMatch(result -> overlaps(reads, result));
    }

    private static boolean overlaps(List<Operand<CudaBlock>> some, Operand<CudaBlock> other) {
      return some.stream().anyMatch(other::overlaps);
    }
  }

  Branch(CUstream main, CUstream side, Equations equations) {
    this.main = main;
    this.side = side;
    this.equations = equations;
    forked = Timeline.event();
    try {
      joined = Timeline.event();
    } catch (RuntimeException e) {
      Timeline.release(forked);
      throw e;
    }
  }

  /** What to launch a task with, after all that the main stream has been given so far. */
  Equations begin(Task task) {
    Cuda.check(cuEventRecord(forked, main), "cuEventRecord");
    Cuda.check(cuStreamWaitEvent(side, forked, 0), "cuStreamWaitEvent");
    running.add(task);
    return equations;
  }

  /** Lets the main stream wait, if a call needs what is computed here, or would overwrite it. */
  void joinBefore(Op op) {
    if (running.stream().anyMatch(task -> task.collides(op))) {
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

  @Override
  public void close() {
    Timeline.release(joined);
    Timeline.release(forked);
  }
}

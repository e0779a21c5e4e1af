package io.deltarule.cuda;

import static jcuda.driver.CUevent_flags.CU_EVENT_DISABLE_TIMING;
import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;

import java.util.LinkedHashSet;
import java.util.Set;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * Which blocks the work queued on the compute stream uses, and until when, so that an upload on
 * another stream waits for the last use of its block and for nothing after it.
 */
final class Timeline implements AutoCloseable {
  private static final int MARKS = 4;

  private final CUstream stream;
  private final CUevent[] marks = new CUevent[MARKS]; // a ring; null where not created yet
  private final long[] times = new long[MARKS]; // a mark follows all uses at its time or before
  private int latest;
  private long now = 1; // the time of the next piece of work
  private Set<CudaBlock> captured; // while a graph is captured

  Timeline(CUstream stream) {
    this.stream = stream;
    try {
      for (int i = 0; i < MARKS; i++) {
        marks[i] = event();
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  static CUevent event() {
    CUevent event = new CUevent();
    Cuda.check(cuEventCreate(event, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    return event;
  }

  static void release(CUevent event) {
    Cuda.warn(cuEventDestroy(event), "cuEventDestroy");
  }

  /** Notes that the work which is being queued uses a block. */
  void use(CudaBlock block) {
    if (captured != null) {
      captured.add(block);
    } else {
      block.usedAt(now);
    }
  }

  void useAll(CudaBlock[] blocks) {
    for (CudaBlock block : blocks) {
      use(block);
    }
  }

  void beginCapture() {
    captured = new LinkedHashSet<>();
  }

  /** The blocks that the captured work uses. */
  CudaBlock[] endCapture() {
    CudaBlock[] blocks = captured.toArray(CudaBlock[]::new);
    captured = null;
    return blocks;
  }

  /** Marks the end of the work queued so far. */
  void mark() {
    latest = (latest + 1) % MARKS;
    times[latest] = 0; // not to be waited for if the next call fails
    Cuda.check(cuEventRecord(marks[latest], stream), "cuEventRecord");
    times[latest] = now++;
  }

  /** Lets another stream wait until the work queued so far no longer uses the block. */
  void awaitUse(CudaBlock block, CUstream waiting) {
    if (block.lastUse() == 0) {
      return;
    }
    if (times[latest] < block.lastUse()) {
      mark();
    }
    int earliest = latest;
    for (int i = 0; i < MARKS; i++) {
      if (times[i] >= block.lastUse() && times[i] < times[earliest]) {
        earliest = i;
      }
    }
    Cuda.check(cuStreamWaitEvent(waiting, marks[earliest], 0), "cuStreamWaitEvent");
  }

  @Override
  public void close() {
    for (int i = 0; i < MARKS; i++) {
      if (marks[i] != null) {
        release(marks[i]);
        marks[i] = null;
      }
    }
  }
}

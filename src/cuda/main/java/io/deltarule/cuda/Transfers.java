package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * Copies between Java arrays and the card through pinned memory: asynchronous copies from the
 * arrays themselves would be unsafe. Uploads have a stream of their own: an array is copied into
 * slots of pinned memory in turn and the card fetches them while it computes; an upload waits for
 * the last use of its block only, and all work queued later waits for the upload.
 */
final class Transfers implements AutoCloseable {
  private static final int SLOTS = 2;
  private static final int SLOT_BYTES = 4 << 20;
  private static final int SLOT_ELEMENTS = SLOT_BYTES / 4;

  private final CUstream compute;
  private final Timeline timeline;
  private final CUstream upload;
  private final Slot[] slots = new Slot[SLOTS];
  private int next;
  private boolean uploaded; // since the last question

  /** A piece of pinned memory, and the event after the last copy from it. */
  private static final class Slot {
    private final Pointer pinned = new Pointer();
    private final ByteBuffer bytes;
    private CUevent copied; // null until the event is there

    Slot() {
      Cuda.check(cuMemHostAlloc(pinned, SLOT_BYTES, 0), "cuMemHostAlloc", SLOT_BYTES + " bytes");
      bytes = pinned.getByteBuffer(0, SLOT_BYTES).order(ByteOrder.nativeOrder());
    }

    void release() {
      if (copied != null) {
        Timeline.release(copied);
      }
      Cuda.warn(cuMemFreeHost(pinned), "cuMemFreeHost");
    }
  }

  /** Fills the slot that is given to it with elements from a place of the array on. */
  private interface Filler {
    void fill(ByteBuffer slot, int from, int count);
  }

  Transfers(CUstream compute, Timeline timeline) {
    this.compute = compute;
    this.timeline = timeline;
    upload = Context.stream();
    try {
      for (int i = 0; i < SLOTS; i++) {
        slots[i] = new Slot();
        slots[i].copied = Timeline.event();
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  void write(CudaBlock to, long offset, float[] values) {
    write(
        to,
        offset,
        values.length,
        (slot, from, count) -> slot.asFloatBuffer().put(values, from, count));
  }

  void write(CudaBlock to, int[] values) {
    write(to, 0, values.length, (slot, from, count) -> slot.asIntBuffer().put(values, from, count));
  }

  private void write(CudaBlock to, long offset, int length, Filler filler) {
    if (length == 0) {
      return;
    }
    timeline.awaitUse(to, upload);
    timeline.use(to);
    to.changed();
    uploaded = true;
    try {
      send(to, offset, length, filler);
    } catch (RuntimeException | Error e) {
      // Nothing may be on its way to memory that the caller frees.
      Cuda.warn(cuStreamSynchronize(upload), "cuStreamSynchronize");
      throw e;
    }
  }

  private void send(CudaBlock to, long offset, int length, Filler filler) {
    Slot slot = null;
    for (int from = 0; from < length; from += SLOT_ELEMENTS) {
      int count = Math.min(SLOT_ELEMENTS, length - from);
      slot = slots[next];
      next = (next + 1) % SLOTS;
      Cuda.check(cuEventSynchronize(slot.copied), "cuEventSynchronize");
      filler.fill(slot.bytes, from, count);
      Cuda.check(
          cuMemcpyHtoDAsync(
              to.address().plus(4 * (offset + from)), slot.pinned, 4L * count, upload),
          "cuMemcpyHtoDAsync",
          4L * count + " bytes");
      Cuda.check(cuEventRecord(slot.copied, upload), "cuEventRecord");
    }
    Cuda.check(cuStreamWaitEvent(compute, slot.copied, 0), "cuStreamWaitEvent");
  }

  /**
   * Copies at once, even while launches are captured: from pinned memory, a copy that waits has
   * arrived when it returns.
   */
  void copyNow(Address to, long[] words) {
    Slot slot = slots[next];
    Cuda.check(cuEventSynchronize(slot.copied), "cuEventSynchronize");
    slot.bytes.asLongBuffer().put(words);
    Cuda.check(
        cuMemcpyHtoD(to, slot.pinned, 8L * words.length),
        "cuMemcpyHtoD",
        8L * words.length + " bytes");
  }

  /** Whether there was an upload since the last time that this was asked. */
  boolean anySinceLastAsked() {
    boolean any = uploaded;
    uploaded = false;
    return any;
  }

  /** Waits for the work queued so far, then copies. */
  void read(CudaBlock from, long offset, float[] values) {
    for (int at = 0; at < values.length; at += SLOT_ELEMENTS) {
      int count = Math.min(SLOT_ELEMENTS, values.length - at);
      Slot slot = slots[next];
      Cuda.check(cuEventSynchronize(slot.copied), "cuEventSynchronize");
      Cuda.check(
          cuMemcpyDtoHAsync(
              slot.pinned, from.address().plus(4 * (offset + at)), 4L * count, compute),
          "cuMemcpyDtoHAsync",
          4L * count + " bytes");
      Cuda.check(cuStreamSynchronize(compute), "cuStreamSynchronize");
      slot.bytes.asFloatBuffer().get(values, at, count);
    }
  }

  @Override
  public void close() {
    Cuda.warn(cuStreamSynchronize(upload), "cuStreamSynchronize");
    for (Slot slot : slots) {
      if (slot != null) {
        slot.release();
      }
    }
    Context.release(upload);
  }
}

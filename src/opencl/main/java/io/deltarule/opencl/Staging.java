package io.deltarule.opencl;

import static org.jocl.CL.CL_MAP_WRITE;
import static org.jocl.CL.CL_MEM_ALLOC_HOST_PTR;
import static org.jocl.CL.CL_SUCCESS;
import static org.jocl.CL.clEnqueueMapBuffer;
import static org.jocl.CL.clEnqueueUnmapMemObject;
import static org.jocl.CL.clEnqueueWriteBuffer;
import static org.jocl.CL.clFinish;
import static org.jocl.CL.clFlush;
import static org.jocl.CL.clWaitForEvents;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_event;
import org.jocl.cl_mem;

/**
 * Uploads through pinned memory: an array is copied there, piece by piece, and the device fetches
 * the pieces on its own. So the array is free at once, and the host waits only while all slots are
 * still on their way.
 *
 * <p>JOCL watches each such piece from a thread of its own, with a reference to the event of its
 * own. Drivers must bear that, but oclgrind does not: there the host waits.
 */
final class Staging {
  private static final int SLOTS = 4;
  private static final int SLOT_BYTES = 1 << 20;

  private final cl_command_queue queue;
  private final cl_mem pinned; // null where the host waits
  private final ByteBuffer mapped;
  private final ByteBuffer[] slots = new ByteBuffer[SLOTS];
  private final Pointer[] pointers = new Pointer[SLOTS];
  private final cl_event[] underway = new cl_event[SLOTS]; // null where the slot is free
  private int next;

  Staging(Device device, cl_context context, cl_command_queue queue) {
    this.queue = queue;
    if (device.platform().equals("Oclgrind")) {
      pinned = null;
      mapped = null;
      return;
    }
    long bytes = (long) SLOTS * SLOT_BYTES;
    pinned = Cl.buffer(context, CL_MEM_ALLOC_HOST_PTR, bytes);
    int[] status = new int[1];
    mapped = clEnqueueMapBuffer(queue, pinned, true, CL_MAP_WRITE, 0, bytes, 0, null, null, status);
    if (status[0] != CL_SUCCESS) {
      Cl.release(pinned);
      throw Cl.failure(status[0], "clEnqueueMapBuffer", bytes + " bytes");
    }
    for (int i = 0; i < SLOTS; i++) {
      slots[i] = mapped.slice(i * SLOT_BYTES, SLOT_BYTES).order(ByteOrder.nativeOrder());
      pointers[i] = Pointer.toBuffer(slots[i]);
    }
  }

  void write(ClBuffer to, long offset, float[] values) {
    if (pinned == null) {
      waitingWrite(to, offset, Pointer.to(values), values.length);
      return;
    }
    int most = SLOT_BYTES / 4;
    for (int from = 0; from < values.length; from += most) {
      int count = Math.min(most, values.length - from);
      freeSlot().asFloatBuffer().put(values, from, count);
      send(to, offset + from, count);
    }
    flush();
  }

  void write(ClBuffer to, int[] values) {
    if (pinned == null) {
      waitingWrite(to, 0, Pointer.to(values), values.length);
      return;
    }
    int most = SLOT_BYTES / 4;
    for (int from = 0; from < values.length; from += most) {
      int count = Math.min(most, values.length - from);
      freeSlot().asIntBuffer().put(values, from, count);
      send(to, from, count);
    }
    flush();
  }

  private void waitingWrite(ClBuffer to, long offset, Pointer values, int count) {
    if (count > 0) {
      Cl.check(
          clEnqueueWriteBuffer(
              queue, to.memory(), true, 4 * offset, 4L * count, values, 0, null, null),
          "clEnqueueWriteBuffer",
          4L * count + " bytes at " + 4 * offset);
    }
  }

  private ByteBuffer freeSlot() {
    await(next);
    return slots[next];
  }

  private void send(ClBuffer to, long offset, int count) {
    cl_event event = new cl_event();
    Cl.check(
        clEnqueueWriteBuffer(
            queue, to.memory(), false, 4 * offset, 4L * count, pointers[next], 0, null, event),
        "clEnqueueWriteBuffer",
        4L * count + " bytes at " + 4 * offset);
    Cl.created(event);
    underway[next] = event;
    next = (next + 1) % SLOTS;
  }

  private void await(int slot) {
    cl_event event = underway[slot];
    if (event != null) {
      underway[slot] = null;
      int status = clWaitForEvents(1, new cl_event[] {event});
      Cl.release(event);
      Cl.check(status, "clWaitForEvents");
    }
  }

  private void flush() {
    Cl.check(clFlush(queue), "clFlush");
  }

  /** After the queue has finished. */
  void release() {
    if (pinned == null) {
      return;
    }
    for (int i = 0; i < SLOTS; i++) {
      if (underway[i] != null) {
        Cl.release(underway[i]);
        underway[i] = null;
      }
    }
    clEnqueueUnmapMemObject(queue, pinned, mapped, 0, null, null);
    clFinish(queue);
    Cl.release(pinned);
  }
}

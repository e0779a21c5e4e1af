package io.deltarule.opencl;

import static org.jocl.CL.CL_SUCCESS;
import static org.jocl.CL.clEnqueueReadBuffer;
import static org.jocl.CL.clFinish;
import static org.jocl.CL.stringFor_errorCode;

import io.deltarule.engine.Activation;
import io.deltarule.engine.EngineDescription;
import io.deltarule.engine.EngineMemory;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.AbstractEngine;
import io.deltarule.engine.spi.IndexLists;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.Replay;
import io.deltarule.engine.spi.StepCursor;
import java.util.ArrayList;
import java.util.List;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The engine of one OpenCL device: a context, one in-order queue, and the kernels. A call queues a
 * few of them and returns.
 */
final class OpenClEngine extends AbstractEngine<ClBuffer> {
  private static final Logger LOG = LoggerFactory.getLogger(OpenClEngine.class);

  /** The most groups of an output error. */
  private static final int MOST_PARTIAL_LOSSES = 256;

  /**
   * The most numbers in {@link #partial}, which takes a part of a small device's memory at most.
   */
  private static final int MOST_PARTIALS = 1 << 21;

  private static final int PART_OF_MEMORY = 16;

  /** The least terms of a chunk of a sum, where a result has too few tiles for the device. */
  private static final int TERMS_OF_CHUNK = 512;

  private static final int ROWS_OF_CHUNK = 64; // the least, of column sums
  private static final int MOST_CHUNKS = 64;

  /** Groups of column sums for each unit: more than of products, since each waits for memory. */
  private static final int GROUPS_OF_SUMS = 8;

  /** An output error takes another group for so many times the items of one. */
  private static final int ELEMENTS_OF_ITEM = 8;

  private final Device device;
  private final List<Runnable> releases = new ArrayList<>(); // in the order of creation
  private final List<Replay> replays = new ArrayList<>();
  private final cl_context context;
  private final cl_command_queue queue;
  private final Memory memory;
  private final Launcher launcher;
  private final Staging staging;
  private final Kernels kernels;
  private final int partials;
  private final ClBuffer partial; // [partials]: what several groups leave, before it is added

  OpenClEngine(Device device, Tuning tuning, CacheFolder cache) {
    this(device, tuning, cache, "");
  }

  /**
   * Opens a device.
   *
   * @param options for the compiler, such as {@code " -DPLANT_RACE=1"}
   */
  OpenClEngine(Device device, Tuning tuning, CacheFolder cache, String options) {
    this.device = device;
    try {
      context = Cl.context(device);
      releases.add(() -> Cl.release(context));
      queue = Cl.queue(context, device);
      releases.add(() -> Cl.release(queue));
      memory = new Memory(device, context, queue);
      launcher = new Launcher(queue);
      kernels = new Kernels(device, new Programs(context, device, cache), tuning, options);
      releases.add(kernels::release);
      staging = new Staging(device, context, queue);
      releases.add(staging::release);
      partials =
          (int) Math.min(MOST_PARTIALS, device.allocationBytes() / Float.BYTES / PART_OF_MEMORY);
      partial = memory.zeros(partials);
      releases.add(partial::release);
    } catch (RuntimeException | Error e) {
      releaseAll();
      throw e;
    }
  }

  @Override
  public EngineDescription description() {
    return new EngineDescription(OpenClEngineProvider.NAME, device.toString(), Precision.FP32);
  }

  /** Changes the tiles of the products, for the tuner. No recording may be there. */
  void use(Tuning tuning) {
    kernels.use(tuning);
  }

  /** Lets all products have the first tile, for the tuner, whether it is best for them or not. */
  void useFirstAlways(boolean always) {
    kernels.useFirstAlways(always);
  }

  cl_context context() {
    return context;
  }

  cl_command_queue queue() {
    return queue;
  }

  // Memory and traffic.

  @Override
  protected EngineMemory deviceMemory() {
    return new EngineMemory(device.globalBytes() - partial.bytes(), device.allocationBytes());
  }

  @Override
  protected ClBuffer allocateBlock(long elements, Element element) {
    return memory.zeros(elements);
  }

  @Override
  protected void launchWrite(Operand<ClBuffer> to, float[] values) {
    staging.write(to.block(), to.offset(), values);
  }

  @Override
  protected void launchWrite(IndexLists<ClBuffer> to, int[] values) {
    staging.write(to.block(), values);
  }

  @Override
  protected void launchRead(Operand<ClBuffer> from, float[] values) {
    awaitDevice(); // before JOCL pins the array, which holds up the garbage collector
    if (values.length > 0) {
      Cl.check(
          clEnqueueReadBuffer(
              queue,
              from.block().memory(),
              true,
              4 * from.offset(),
              4L * values.length,
              Pointer.to(values),
              0,
              null,
              null),
          "clEnqueueReadBuffer",
          from);
    }
  }

  @Override
  protected void launchCopy(Operand<ClBuffer> from, Operand<ClBuffer> to) {
    if (from.size() > 0) {
      launcher.copy(from, to);
    }
  }

  @Override
  protected void launchSet(StepCursor<ClBuffer> cursor, int position) {
    launcher.begin(kernels.cursorSet()).buffer(cursor.block()).number(position).groups(1, 1);
  }

  @Override
  protected void launchAdvance(StepCursor<ClBuffer> cursor) {
    launcher.begin(kernels.cursorAdvance()).buffer(cursor.block()).groups(1, 1);
  }

  // The equations.

  @Override
  protected void launchGather(
      Operand<ClBuffer> data,
      IndexLists<ClBuffer> rows,
      StepCursor<ClBuffer> at,
      Operand<ClBuffer> batch) {
    if (batch.size() > 0) {
      launcher
          .begin(kernels.gather())
          .number(batch.rows())
          .number(batch.columns())
          .number(rows.columns())
          .matrix(data)
          .buffer(rows.block())
          .buffer(at.block())
          .matrix(batch)
          .groups(kernels.groups(batch.size()), 1);
    }
  }

  @Override
  protected void launchForward(
      Operand<ClBuffer> x,
      Operand<ClBuffer> w,
      Operand<ClBuffer> b,
      Activation f,
      Operand<ClBuffer> saved,
      Operand<ClBuffer> a) {
    if (a.size() > 0) {
      kernels.products(a.rows(), a.columns(), 1).forward(launcher, x, w, b, f, saved, a);
    }
  }

  @Override
  protected void launchOutputError(
      Output output,
      Operand<ClBuffer> z,
      Operand<ClBuffer> y,
      Operand<ClBuffer> d,
      Operand<ClBuffer> losses,
      StepCursor<ClBuffer> at) {
    Kernel kernel =
        switch (output) {
          case SIGMOID -> kernels.outputErrorSigmoid();
          case SOFTMAX -> kernels.outputErrorSoftmax();
          case LINEAR -> kernels.outputErrorLinear();
        };
    long groups = Kernels.ceil(z.size(), (long) ELEMENTS_OF_ITEM * kernels.items());
    groups = Math.max(1, Math.min(MOST_PARTIAL_LOSSES, groups)); // one even for no rows: J is 0
    launcher
        .begin(kernel)
        .number(z.rows())
        .number(z.columns())
        .matrix(z)
        .matrix(y)
        .matrix(d)
        .buffer(partial)
        .matrix(losses)
        .buffer(at.block())
        .groups(groups, 1);
    if (groups > 1) {
      launcher
          .begin(kernels.sumLosses())
          .number((int) groups)
          .buffer(partial)
          .matrix(losses)
          .buffer(at.block())
          .groups(1, 1);
    }
  }

  @Override
  protected void launchPropagate(
      Operand<ClBuffer> d,
      Operand<ClBuffer> w,
      Activation f,
      Operand<ClBuffer> saved,
      Operand<ClBuffer> e) {
    if (e.size() > 0) {
      kernels.products(e.rows(), e.columns(), 1).propagate(launcher, d, w, f, saved, e);
    }
  }

  @Override
  protected void launchGradients(
      Operand<ClBuffer> d, Operand<ClBuffer> a, Operand<ClBuffer> dw, Operand<ClBuffer> db) {
    if (dw.size() > 0) {
      long most = device.cpu() ? 1 : chunks(d.rows() / TERMS_OF_CHUNK, dw.size());
      Products products = kernels.products(dw.rows(), dw.columns(), most);
      long groups = products.tile().count(dw.rows(), dw.columns());
      long chunks = Math.min(most, Kernels.ceil(kernels.enoughGroups(), groups));
      if (chunks > 1) {
        int depth = (int) Kernels.ceil(d.rows(), chunks);
        products.gradientChunks(launcher, d, a, dw, depth, partial);
        addPartials((int) Kernels.ceil(d.rows(), depth), (int) dw.size(), dw);
      } else if (kernels.areOneLaunch(products, groups)) {
        products.gradients(launcher, d, a, dw, db);
        return;
      } else {
        products.gradient(launcher, d, a, dw);
      }
    }
    if (db.size() > 0) {
      biasGradient(d, db);
    }
  }

  private void biasGradient(Operand<ClBuffer> d, Operand<ClBuffer> db) {
    int n = d.columns();
    long groups = kernels.columnGroups(n);
    long enough = Kernels.ceil((long) GROUPS_OF_SUMS * device.computeUnits(), groups);
    int chunks = (int) chunks(Math.min(enough, d.rows() / ROWS_OF_CHUNK), n);
    launcher.begin(kernels.columnSums()).number(d.rows()).number(n).matrix(d);
    if (chunks == 1) {
      launcher.matrix(db).groups(groups, 1);
    } else {
      launcher.buffer(partial).index(0).groups(groups, chunks);
      addPartials(chunks, n, db);
    }
  }

  /** So many chunks, but at least one, and of results of so many numbers as there is room for. */
  private long chunks(long wanted, long numbers) {
    return Math.max(1, Math.min(Math.min(wanted, MOST_CHUNKS), partials / numbers));
  }

  /** Adds the rows [count x n] of {@link #partial}. */
  private void addPartials(int count, int n, Operand<ClBuffer> to) {
    launcher
        .begin(kernels.columnSums())
        .number(count)
        .number(n)
        .buffer(partial)
        .index(0)
        .matrix(to)
        .groups(kernels.columnGroups(n), 1);
  }

  @Override
  protected void launchUpdate(
      UpdateRule rule,
      Operand<ClBuffer> theta,
      Operand<ClBuffer> gradient,
      Operand<ClBuffer> state,
      Operand<ClBuffer> schedule,
      StepCursor<ClBuffer> at) {
    if (theta.size() == 0) {
      return;
    }
    Kernel kernel =
        rule instanceof UpdateRule.Sgd
            ? kernels.updateSgd()
            : rule instanceof UpdateRule.Momentum ? kernels.updateMomentum() : kernels.updateAdam();
    launcher
        .begin(kernel)
        .index(theta.size())
        .matrix(theta)
        .matrix(gradient)
        .matrix(schedule)
        .buffer(at.block());
    if (rule instanceof UpdateRule.Momentum momentum) {
      launcher.matrix(state).number(momentum.momentum());
    } else if (rule instanceof UpdateRule.Adam adam) {
      launcher.matrix(state).number(adam.beta1()).number(adam.beta2()).number(adam.epsilon());
    }
    launcher.groups(kernels.groups(theta.size()), 1);
  }

  // Recording, waiting, closing.

  @Override
  protected Replay compile(List<Runnable> launches, List<Operand<ClBuffer>> scratch) {
    Replay recorded = launcher.record(launches);
    replays.add(recorded);
    return new Replay() {
      @Override
      public void run(int times) {
        recorded.run(times);
      }

      @Override
      public void close() {
        recorded.close();
        replays.remove(recorded);
      }
    };
  }

  @Override
  protected void awaitDevice() {
    Cl.check(clFinish(queue), "clFinish");
  }

  @Override
  protected void releaseDevice() {
    int status = clFinish(queue);
    if (status != CL_SUCCESS) {
      LOG.warn("opencl: clFinish failed: {}", stringFor_errorCode(status));
    }
    replays.forEach(Replay::close);
    replays.clear();
    releaseAll();
  }

  private void releaseAll() {
    for (int i = releases.size() - 1; i >= 0; i--) {
      releases.get(i).run();
    }
    releases.clear();
  }
}

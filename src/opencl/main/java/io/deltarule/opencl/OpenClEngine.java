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
 * The engine of one OpenCL device: a context, one in-order queue, and the kernels. A call queues
 * one or two of them and returns.
 */
final class OpenClEngine extends AbstractEngine<ClBuffer> {
  private static final Logger LOG = LoggerFactory.getLogger(OpenClEngine.class);

  /** The most groups of an output error, and the numbers in {@link #partial}. */
  private static final int MOST_PARTIALS = 256;

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
  private final ClBuffer partial; // sums of losses [MOST_PARTIALS]

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
      partial = memory.zeros(MOST_PARTIALS);
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

  cl_context context() {
    return context;
  }

  cl_command_queue queue() {
    return queue;
  }

  // Memory and traffic.

  @Override
  protected EngineMemory deviceMemory() {
    return new EngineMemory(device.globalBytes(), device.allocationBytes());
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
      kernels.products(a.rows(), a.columns()).forward(launcher, x, w, b, f, saved, a);
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
    groups = Math.max(1, Math.min(MOST_PARTIALS, groups)); // one even for no rows: the loss is 0
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
      kernels.products(e.rows(), e.columns()).propagate(launcher, d, w, f, saved, e);
    }
  }

  @Override
  protected void launchGradients(
      Operand<ClBuffer> d, Operand<ClBuffer> a, Operand<ClBuffer> dw, Operand<ClBuffer> db) {
    if (dw.size() > 0) {
      kernels.products(dw.rows(), dw.columns()).gradient(launcher, d, a, dw);
    }
    if (db.size() > 0) {
      launcher
          .begin(kernels.columnSums())
          .number(d.rows())
          .number(d.columns())
          .matrix(d)
          .matrix(db)
          .groups(kernels.columnGroups(d.columns()), 1);
    }
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

package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuMemsetD32Async;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

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
import jcuda.driver.CUstream;

/**
 * The engine of one NVIDIA card: its primary context, one stream that computes and one that
 * uploads. A call queues a few launches and returns; a recording becomes one graph, or one kernel.
 */
final class CudaEngine extends AbstractEngine<CudaBlock> {
  private final Device device;
  private final Precision precision;
  private final List<Runnable> releases = new ArrayList<>(); // in the order of creation
  private final List<Replay> replays = new ArrayList<>();
  private final Context context;
  private final CUstream stream;
  private final Timeline timeline;
  private final Memory memory;
  private final Transfers transfers;
  private final Equations equations;
  private final Plan plan;
  private final FusedStep fusedStep;
  private final Workspace workspace; // of calls outside of recordings
  private final WeightCopies weightCopies; // of all recordings
  private List<Op> recorded; // while recording

  /**
   * Opens a card.
   *
   * @param blas whether there is cuBLAS, which has been loaded
   * @param rule which products are not left to it
   */
  CudaEngine(Device device, Precision precision, boolean blas, Products.Rule rule) {
    this.device = device;
    this.precision = precision;
    try {
      context = new Context(device);
      releases.add(context::close);
      context.makeCurrent();
      stream = Context.stream();
      releases.add(() -> Context.release(stream));
      timeline = new Timeline(stream);
      releases.add(timeline::close);
      memory = new Memory(device, context, stream, timeline);
      transfers = new Transfers(stream, timeline);
      releases.add(transfers::close);
      Kernels kernels = new Kernels(device);
      releases.add(kernels::close);
      Cublas cublas = null;
      if (blas) {
        cublas = new Cublas(stream, Cublas.workspaceBytes(device.capability() / 10));
        releases.add(cublas::close);
      }
      CudaBlock counters = memory.zeros(Kernels.COUNTERS);
      releases.add(counters::release);
      Launcher launcher = new Launcher(stream, timeline);
      Products products =
          new Products(launcher, kernels, timeline, cublas, precision, rule, counters);
      equations = new Equations(launcher, kernels, products, memory, stream, timeline);
      releases.add(equations::close);
      CUstream side = Context.stream();
      releases.add(() -> Context.release(side));
      Launcher beside = new Launcher(side, timeline);
      Branch branch =
          new Branch(
              stream,
              side,
              new Products(beside, kernels, timeline, null, precision, rule, counters));
      releases.add(branch::close);
      plan = new Plan(equations, products, branch);
      fusedStep = new FusedStep(launcher, kernels, products, timeline, transfers, device);
      workspace = new Workspace(memory, null);
      weightCopies = new WeightCopies(memory);
      releases.add(workspace::close);
    } catch (RuntimeException | Error e) {
      releaseAll();
      throw e;
    }
  }

  @Override
  public EngineDescription description() {
    return new EngineDescription(CudaEngineProvider.NAME, device.toString(), precision);
  }

  // Memory and traffic.

  @Override
  protected EngineMemory deviceMemory() {
    context.makeCurrent();
    long available = memory.available();
    return new EngineMemory(available, available);
  }

  @Override
  protected CudaBlock allocateBlock(long elements, Element element) {
    context.makeCurrent();
    return memory.zeros(elements);
  }

  @Override
  protected void launchWrite(Operand<CudaBlock> to, float[] values) {
    context.makeCurrent();
    transfers.write(to.block(), to.offset(), values);
  }

  @Override
  protected void launchWrite(IndexLists<CudaBlock> to, int[] values) {
    context.makeCurrent();
    transfers.write(to.block(), values);
  }

  @Override
  protected void launchRead(Operand<CudaBlock> from, float[] values) {
    context.makeCurrent();
    transfers.read(from.block(), from.offset(), values);
  }

  @Override
  protected void launchSet(StepCursor<CudaBlock> cursor, int position) {
    context.makeCurrent();
    timeline.use(cursor.block());
    Cuda.check(cuMemsetD32Async(cursor.block().address(), position, 1, stream), "cuMemsetD32Async");
  }

  // The equations.

  @Override
  protected void launchCopy(Operand<CudaBlock> from, Operand<CudaBlock> to) {
    submit(new Op.Copy(from, to));
  }

  @Override
  protected void launchAdvance(StepCursor<CudaBlock> cursor) {
    submit(new Op.Advance(cursor));
  }

  @Override
  protected void launchGather(
      Operand<CudaBlock> data,
      IndexLists<CudaBlock> rows,
      StepCursor<CudaBlock> at,
      Operand<CudaBlock> batch) {
    submit(new Op.Gather(data, rows, at, batch));
  }

  @Override
  protected void launchForward(
      Operand<CudaBlock> x,
      Operand<CudaBlock> w,
      Operand<CudaBlock> b,
      Activation f,
      Operand<CudaBlock> saved,
      Operand<CudaBlock> a) {
    submit(new Op.Forward(x, w, b, f, saved, a));
  }

  @Override
  protected void launchOutputError(
      Output output,
      Operand<CudaBlock> z,
      Operand<CudaBlock> y,
      Operand<CudaBlock> d,
      Operand<CudaBlock> losses,
      StepCursor<CudaBlock> at) {
    submit(new Op.OutputError(output, z, y, d, losses, at));
  }

  @Override
  protected void launchPropagate(
      Operand<CudaBlock> d,
      Operand<CudaBlock> w,
      Activation f,
      Operand<CudaBlock> saved,
      Operand<CudaBlock> e) {
    submit(new Op.Propagate(d, w, f, saved, e));
  }

  @Override
  protected void launchGradients(
      Operand<CudaBlock> d, Operand<CudaBlock> a, Operand<CudaBlock> dw, Operand<CudaBlock> db) {
    submit(new Op.Gradients(d, a, dw, db));
  }

  @Override
  protected void launchUpdate(
      UpdateRule rule,
      Operand<CudaBlock> theta,
      Operand<CudaBlock> gradient,
      Operand<CudaBlock> state,
      Operand<CudaBlock> schedule,
      StepCursor<CudaBlock> at) {
    submit(new Op.Update(rule, theta, gradient, state, schedule, at));
  }

  private void submit(Op op) {
    if (recorded != null) {
      recorded.add(op);
    } else {
      context.makeCurrent();
      op.results().forEach(result -> result.block().changed());
      equations.launch(op, workspace);
    }
  }

  // Recording, waiting, closing.

  @Override
  protected Replay compile(List<Runnable> launches, List<Operand<CudaBlock>> scratch) {
    List<Op> ops = new ArrayList<>();
    recorded = ops;
    try {
      launches.forEach(Runnable::run);
    } finally {
      recorded = null;
    }
    context.makeCurrent();
    Workspace own = new Workspace(memory, weightCopies);
    Replay fused = fusedStep.prepare(ops, own);
    Replay prepared =
        fused != null
            ? fused
            : new Graph(
                context, stream, timeline, transfers, own, to -> plan.launch(ops, scratch, to));
    replays.add(prepared);
    CudaBlock[] results =
        ops.stream()
            .flatMap(op -> op.results().stream())
            .map(Operand::block)
            .distinct()
            .toArray(CudaBlock[]::new);
    return new Replay() {
      @Override
      public void run(int times) {
        context.makeCurrent();
        plan.prepare(own);
        for (CudaBlock result : results) {
          result.changed(); // also for the copies of this recording, should the replay fail
        }
        prepared.run(times);
        own.copies().replayed();
      }

      @Override
      public void close() {
        prepared.close();
        replays.remove(prepared);
      }
    };
  }

  @Override
  protected void awaitDevice() {
    context.makeCurrent();
    Cuda.check(cuStreamSynchronize(stream), "cuStreamSynchronize");
  }

  @Override
  protected void releaseDevice() {
    context.makeCurrentToRelease();
    Cuda.warn(cuStreamSynchronize(stream), "cuStreamSynchronize");
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

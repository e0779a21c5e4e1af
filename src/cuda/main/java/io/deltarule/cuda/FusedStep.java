package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.Replay;
import io.deltarule.engine.spi.StepCursor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import jcuda.Pointer;

/**
 * The whole training step of a stack of very small layers as the one kernel stack_step, whose time
 * would otherwise go to launches. It leaves in every matrix the bits that the single launches
 * leave.
 */
final class FusedStep {
  /** The layers that the kernel's table has room for. */
  private static final int MOST_LAYERS = 16;

  /** The elements of no layer behind W or b are fewer. */
  private static final int MOST_GAP = 128;

  private static final int WORDS = 25; // of the table, before the layers
  private static final int STEPS = 12; // the word that says how many
  private static final int WORDS_OF_LAYER = 11;

  /**
   * A phase that has work for more is no matter of launches: on an H200 30-64-32-1, batch 32, takes
   * 18 us in one kernel and 20 in single ones; 28-300-300-300-300-300-1, batch 100, took 106 when
   * it took 81 in single ones, which it takes 67 in now.
   */
  private static final int MOST_BLOCKS_OF_MULTIPROCESSOR = 2;

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
    Step step = Step.of(ops);
    return step == null || !device.cooperative() || !fits(step)
        ? null
        : new Prepared(step, workspace);
  }

  /** A step that can be launched, so many times in a row by one launch. */
  private final class Prepared implements Replay {
    private final ByteBuffer table;
    private final Pointer argument;
    private final int blocks;
    private final CudaBlock[] used;
    private final Workspace workspace;
    private boolean closed;

    Prepared(Step step, Workspace workspace) {
      this.workspace = workspace;
      blocks = (int) blocks(step);
      used =
          Stream.concat(
                  step.ops.stream().flatMap(op -> op.operands().stream().map(Operand::block)),
                  Stream.of(step.inputs.rows().block(), step.update.at().block()))
              .distinct()
              .toArray(CudaBlock[]::new);
      try {
        long[] words = table(step, workspace);
        table = ByteBuffer.allocateDirect(Long.BYTES * words.length).order(ByteOrder.nativeOrder());
        table.asLongBuffer().put(words);
      } catch (RuntimeException | Error e) {
        workspace.close();
        throw e;
      }
      argument = Pointer.to(Pointer.to(table));
    }

    @Override
    public void run(int times) {
      table.putLong(Long.BYTES * STEPS, times);
      launcher.cooperative(kernels.stackStep(), argument, blocks);
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

  private boolean fits(Step step) {
    int m = step.rows();
    return m > 0
        && !Kernels.tall(m) // which has other kernels for a layer of one unit
        && step.layers.size() <= MOST_LAYERS
        && step.layers.stream()
            .allMatch(
                layer ->
                    layer.n() > 0
                        && layer.k() > 0
                        && products.small(m, layer.n(), layer.k())
                        && products.small(m, layer.k(), layer.n())
                        && products.small(layer.n(), layer.k(), m))
        && blocks(step) <= mostBlocks
        && step.resultsAreApart();
  }

  /** As many blocks as the largest phase has work for. */
  private long blocks(Step step) {
    int m = step.rows();
    long most = 1;
    for (int l = 0; l < step.layers.size(); l++) {
      int n = step.layers.get(l).n();
      int k = step.layers.get(l).k();
      long backward = kernels.narrow().count(n, k + 1); // dW and db
      if (l > 0) {
        backward += kernels.narrow().count(m, k);
      }
      most = Math.max(most, Math.max(backward, kernels.narrow().count(m, n)));
    }
    return most;
  }

  /** The table that stack_step.cu describes. */
  private long[] table(Step step, Workspace workspace) {
    int losses = Equations.blocksOfOutputError(step.error);
    Op.Update update = step.update;
    UpdateRule rule = update.rule();
    float[] constants = new float[3];
    int number = 0;
    if (rule instanceof UpdateRule.Momentum momentum) {
      number = 1;
      constants[0] = momentum.momentum();
    } else if (rule instanceof UpdateRule.Adam adam) {
      number = 2;
      constants = new float[] {adam.beta1(), adam.beta2(), adam.epsilon()};
    }
    Address barrier = workspace.allocate(8);
    transfers.copyNow(barrier, new long[1]);
    List<Long> words = new ArrayList<>(WORDS + MOST_LAYERS * WORDS_OF_LAYER);
    words.add((long) step.layers.size());
    words.add((long) step.rows());
    words.add((long) step.inputs.batch().columns());
    words.add(update.theta().size());
    words.add((long) number);
    words.add((long) output(step.error.output()));
    words.add((long) losses);
    words.add((long) step.inputs.rows().columns());
    words.add(address(step.inputs.data()));
    words.add(address(step.targets.data()));
    words.add(step.inputs.rows().block().address().number());
    words.add(update.at().block().address().number());
    words.add(1L);
    words.add(address(step.inputs.batch()));
    words.add(address(step.targets.batch()));
    words.add(address(step.error.losses()));
    words.add(workspace.allocate(4L * losses).number());
    words.add(address(update.theta()));
    words.add(address(update.gradient()));
    words.add(address(update.state()));
    words.add(address(update.schedule()));
    words.add(barrier.number());
    for (float constant : constants) {
      words.add((long) Float.floatToRawIntBits(constant) & 0xffffffffL);
    }
    for (Layer layer : step.layers) {
      words.add((long) layer.n());
      words.add((long) layer.k());
      words.add((long) layer.forward.f().ordinal());
      words.add(layer.forward.f().savesInput() ? 1L : 0L);
      words.add(address(layer.forward.w()));
      words.add(address(layer.forward.b()));
      words.add(address(layer.gradients.dw()));
      words.add(address(layer.gradients.db()));
      words.add(address(layer.forward.saved()));
      words.add(address(layer.forward.a()));
      words.add(address(layer.gradients.d()));
    }
    return Arrays.copyOf(
        words.stream().mapToLong(Long::longValue).toArray(), WORDS + MOST_LAYERS * WORDS_OF_LAYER);
  }

  private static int output(Output output) {
    return switch (output) {
      case SIGMOID -> 0;
      case SOFTMAX -> 1;
      case LINEAR -> 2;
    };
  }

  private static long address(Operand<CudaBlock> matrix) {
    return matrix.block().address().plus(4 * matrix.offset()).number();
  }

  /**
   * A layer's calls.
   *
   * @param propagate of its error to the layer below; null for the first layer
   */
  private record Layer(Op.Forward forward, Op.Gradients gradients, Op.Propagate propagate) {

    int n() {
      return forward.w().rows();
    }

    int k() {
      return forward.w().columns();
    }
  }

  /** The calls of a training step, in their roles. */
  private record Step(
      Op.Gather inputs,
      Op.Gather targets,
      List<Layer> layers,
      Op.OutputError error,
      Op.Update update,
      List<Op> ops) {

    /**
     * Finds the roles; null if the calls are anything else than a training step. Their order is
     * free, as far as each takes what another gives, but for the last two.
     */
    static Step of(List<Op> ops) {
      List<Op.Gather> gathers = all(Op.Gather.class, ops);
      List<Op.Forward> forwards = all(Op.Forward.class, ops);
      List<Op.OutputError> errors = all(Op.OutputError.class, ops);
      List<Op.Propagate> propagations = all(Op.Propagate.class, ops); // from the last layer on
      List<Op.Gradients> gradients = all(Op.Gradients.class, ops);
      int count = forwards.size();
      if (count == 0
          || gathers.size() != 2
          || errors.size() != 1
          || propagations.size() != count - 1
          || gradients.size() != count
          || ops.size() != 3 * count + 4
          || !(ops.get(ops.size() - 2) instanceof Op.Update update)
          || !(ops.get(ops.size() - 1) instanceof Op.Advance advance)) {
        return null;
      }
      List<Layer> layers = new ArrayList<>();
      for (int l = 0; l < count; l++) {
        Op.Forward forward = forwards.get(l);
        Optional<Op.Gradients> own =
            gradients.stream().filter(op -> op.a().coincides(forward.x())).findFirst();
        if (own.isEmpty()) {
          return null;
        }
        Op.Propagate propagate = l == 0 ? null : propagations.get(count - 1 - l);
        layers.add(new Layer(forward, own.get(), propagate));
      }
      boolean inputsFirst = gathers.get(0).batch().coincides(forwards.get(0).x());
      Op.Gather inputs = gathers.get(inputsFirst ? 0 : 1);
      Op.Gather targets = gathers.get(inputsFirst ? 1 : 0);
      Step step = new Step(inputs, targets, layers, errors.get(0), update, ops);
      return step.isChained(advance.cursor()) ? step : null;
    }

    private static <T extends Op> List<T> all(Class<T> kind, List<Op> ops) {
      return ops.stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    int rows() {
      return inputs.batch().rows();
    }

    /** Whether each call takes what one before it gives. */
    private boolean isChained(StepCursor<CudaBlock> cursor) {
      int last = layers.size() - 1;
      Op.Forward logits = layers.get(last).forward;
      boolean chained =
          inputs.rows() == targets.rows()
              && Stream.of(inputs.at(), targets.at(), error.at(), update.at())
                  .allMatch(at -> at == cursor)
              && error.z().coincides(logits.a())
              && error.y().coincides(targets.batch())
              && logits.f() == Activation.IDENTITY
              && inOrder(inputs, layers.get(0).forward)
              && inOrder(logits, error)
              && inOrder(targets, error);
      Operand<CudaBlock> a = inputs.batch();
      Operand<CudaBlock> d = error.d();
      Op makesD = error;
      for (int l = 0; l <= last && chained; l++) {
        Op.Forward forward = layers.get(l).forward;
        chained =
            forward.x().coincides(a) && (l == 0 || inOrder(layers.get(l - 1).forward, forward));
        a = forward.a();
      }
      for (int l = last; l >= 0 && chained; l--) {
        Layer layer = layers.get(l);
        chained = layer.gradients.d().coincides(d) && inOrder(makesD, layer.gradients);
        if (l > 0) {
          Op.Forward below = layers.get(l - 1).forward;
          Op.Propagate propagate = layer.propagate;
          chained =
              chained
                  && propagate.d().coincides(d)
                  && propagate.w().coincides(layer.forward.w())
                  && propagate.f() == below.f()
                  && propagate.saved().coincides(below.saved())
                  && inOrder(makesD, propagate);
          d = propagate.e();
          makesD = propagate;
        }
      }
      return chained;
    }

    private boolean inOrder(Op first, Op second) {
      return ops.indexOf(first) < ops.indexOf(second);
    }

    /**
     * Whether no two results share memory, and none the memory of something that is only read: the
     * kernel computes some of them at the same time, or in another order than the calls.
     */
    boolean resultsAreApart() {
      List<Operand<CudaBlock>> results = new ArrayList<>();
      results.add(inputs.batch());
      results.add(targets.batch());
      results.add(error.losses());
      results.add(update.theta());
      results.add(update.gradient());
      results.add(update.state());
      for (Layer layer : layers) {
        results.add(layer.forward.a());
        if (layer.forward.f().savesInput()) {
          results.add(layer.forward.saved());
        }
        results.add(layer.gradients.d());
      }
      List<Operand<CudaBlock>> read = List.of(inputs.data(), targets.data(), update.schedule());
      for (int i = 0; i < results.size(); i++) {
        if (results.subList(i + 1, results.size()).stream().anyMatch(results.get(i)::overlaps)
            || read.stream().anyMatch(results.get(i)::overlaps)) {
          return false;
        }
      }
      return layersAreTheParameters();
    }

    /** Whether the parameters are W and b of one layer after the other, but for short gaps. */
    private boolean layersAreTheParameters() {
      long end = 0; // of the parameters so far
      for (Layer layer : layers) {
        long w = place(layer.forward.w(), layer.gradients.dw());
        long b = place(layer.forward.b(), layer.gradients.db());
        long endOfW = w + layer.forward.w().size();
        if (end == 0 && w != 0 || !isShort(w - end) || !isShort(b - endOfW)) {
          return false;
        }
        end = b + layer.forward.b().size();
      }
      return isShort(update.theta().size() - end);
    }

    private static boolean isShort(long gap) {
      return gap >= 0 && gap < MOST_GAP;
    }

    /** Where a parameter lies among all; -1 if its gradient lies elsewhere. */
    private long place(Operand<CudaBlock> parameter, Operand<CudaBlock> gradient) {
      long place = parameter.offset() - update.theta().offset();
      boolean alike = gradient.offset() - update.gradient().offset() == place;
      return alike && parameter.liesWithin(update.theta()) && gradient.liesWithin(update.gradient())
          ? place
          : -1;
    }
  }
}

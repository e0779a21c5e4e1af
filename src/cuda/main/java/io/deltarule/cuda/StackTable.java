package io.deltarule.cuda;

import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import jcuda.Pointer;

/** The table of a training step that kernels/stack.h describes, in memory that a launch reads. */
final class StackTable {
  /** The layers that there is room for. */
  static final int MOST_LAYERS = 16;

  /** The elements of no layer behind W or b are fewer. */
  static final int MOST_GAP = 128;

  private static final int WORDS = 29; // before the layers
  private static final int STEPS = 12; // the word that says how many
  private static final int WORDS_OF_LAYER = 16;

  private final ByteBuffer words;
  private final Pointer argument;

  /**
   * Fills the table.
   *
   * @param workspace for what the kernels need beside the matrices
   */
  StackTable(TrainingCalls calls, BlockLayout layout, Workspace workspace, Transfers transfers) {
    List<Long> list = new ArrayList<>();
    addStep(list, calls, workspace, transfers);
    list.addAll(layout.ofAll());
    for (int l = 1; l <= calls.layers().size(); l++) {
      addLayer(list, calls.layers().get(l - 1));
      list.addAll(layout.ofLayer(l));
    }
    words =
        ByteBuffer.allocateDirect(Long.BYTES * (WORDS + MOST_LAYERS * WORDS_OF_LAYER))
            .order(ByteOrder.nativeOrder());
    for (int i = 0; i < list.size(); i++) {
      words.putLong(Long.BYTES * i, list.get(i));
    }
    argument = Pointer.to(Pointer.to(words));
  }

  /** The kernel's one argument, for so many steps in a row. */
  Pointer argument(int steps) {
    words.putLong(Long.BYTES * STEPS, steps);
    return argument;
  }

  private static void addStep(
      List<Long> list, TrainingCalls calls, Workspace workspace, Transfers transfers) {
    Op.Update update = calls.update();
    int number = 0;
    float[] constants = new float[3];
    if (update.rule() instanceof UpdateRule.Momentum momentum) {
      number = 1;
      constants[0] = momentum.momentum();
    } else if (update.rule() instanceof UpdateRule.Adam adam) {
      number = 2;
      constants = new float[] {adam.beta1(), adam.beta2(), adam.epsilon()};
    }
    int losses = Equations.blocksOfOutputError(calls.error());
    Address barrier = workspace.allocate(8);
    transfers.copyNow(barrier, new long[1]);
    list.add((long) calls.layers().size());
    list.add((long) calls.rows());
    list.add((long) calls.inputs().batch().columns());
    list.add(update.theta().size());
    list.add((long) number);
    list.add((long) output(calls.error().output()));
    list.add((long) losses);
    list.add((long) calls.inputs().rows().columns());
    list.add(address(calls.inputs().data()));
    list.add(address(calls.targets().data()));
    list.add(calls.inputs().rows().block().address().number());
    list.add(update.at().block().address().number());
    list.add(1L);
    list.add(address(calls.inputs().batch()));
    list.add(address(calls.targets().batch()));
    list.add(address(calls.error().losses()));
    list.add(workspace.allocate(4L * losses).number());
    list.add(address(update.theta()));
    list.add(address(update.gradient()));
    list.add(address(update.state()));
    list.add(address(update.schedule()));
    list.add(barrier.number());
    for (float constant : constants) {
      list.add((long) Float.floatToRawIntBits(constant) & 0xffffffffL);
    }
  }

  private static void addLayer(List<Long> list, TrainingCalls.Layer layer) {
    list.add((long) layer.n());
    list.add((long) layer.k());
    list.add((long) layer.forward().f().ordinal());
    list.add(layer.forward().f().savesInput() ? 1L : 0L);
    list.add(address(layer.forward().w()));
    list.add(address(layer.forward().b()));
    list.add(address(layer.gradients().dw()));
    list.add(address(layer.gradients().db()));
    list.add(address(layer.forward().saved()));
    list.add(address(layer.forward().a()));
    list.add(address(layer.gradients().d()));
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
}

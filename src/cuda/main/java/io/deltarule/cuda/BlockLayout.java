package io.deltarule.cuda;

import static io.deltarule.cuda.Kernels.ceil;

import io.deltarule.engine.UpdateRule;
import java.util.List;

/**
 * Where everything of a training step lies in the shared memory of the one block of stack_block,
 * whose source says what is asked of it. In floats.
 */
final class BlockLayout {
  private static final int FOUR = 4; // that one access brings
  private static final int PIECE = 16; // rows

  private final int[] lines; // of the layers, from that of the inputs on
  private final long[] parameters;
  private final long[] activations;
  private final long[] saved;
  private final long[] errors;
  private final long ofParameters;
  private final long ofBatch;
  private final long all;

  /**
   * Lays out a step.
   *
   * @param m the rows of a batch
   * @param widths of the layers, from that of the inputs on
   * @param keeps whether Z is kept, of each layer but that of the inputs
   * @param states how many the update rule has of each parameter
   */
  BlockLayout(int m, List<Integer> widths, List<Boolean> keeps, int states) {
    int layers = widths.size() - 1;
    lines = widths.stream().mapToInt(BlockLayout::line).toArray();
    parameters = new long[layers + 1];
    activations = new long[layers + 1];
    saved = new long[layers + 1];
    errors = new long[layers + 1];
    long used = 0;
    for (int l = 1; l <= layers; l++) {
      parameters[l] = used;
      used += lines[l - 1] * inFours(widths.get(l));
    }
    ofParameters = used;
    used *= 2 + states; // themselves and their gradients
    long rows = ceil(m, PIECE) * PIECE;
    for (int l = 1; l <= layers; l++) {
      activations[l] = used;
      used += rows * lines[l];
      saved[l] = activations[l];
      if (keeps.get(l - 1)) {
        saved[l] = used;
        used += rows * lines[l];
      }
      errors[l] = used;
      used += rows * lines[l];
    }
    ofBatch = rows * lines[0] + UpdateRule.SCALARS + inFours((long) m * widths.get(layers) + m);
    all = used + 2 * ofBatch;
  }

  /** Room for a column of ones; an odd number of fours keeps neighbours in other memory banks. */
  private static int line(int width) {
    return (int) (ceil(width + 1L, FOUR) | 1) * FOUR;
  }

  private static long inFours(long count) {
    return ceil(count, FOUR) * FOUR;
  }

  /** What the table says of all layers. */
  List<Long> ofAll() {
    return List.of((long) lines[0], ofParameters, ofBatch, all);
  }

  /** What it says of layer l, from 1 on. */
  List<Long> ofLayer(int l) {
    return List.of((long) lines[l], parameters[l], activations[l], saved[l], errors[l]);
  }

  long bytes() {
    return Float.BYTES * all;
  }
}

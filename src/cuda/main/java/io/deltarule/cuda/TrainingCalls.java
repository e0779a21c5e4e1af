package io.deltarule.cuda;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.StepCursor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The calls of a training step, in their roles. */
record TrainingCalls(
    Op.Gather inputs,
    Op.Gather targets,
    List<Layer> layers,
    Op.OutputError error,
    Op.Update update,
    List<Op> ops) {

  /**
   * A layer's calls.
   *
   * @param propagate of its error to the layer below; null for the first layer
   */
  record Layer(Op.Forward forward, Op.Gradients gradients, Op.Propagate propagate) {

    int n() {
      return forward.w().rows();
    }

    int k() {
      return forward.w().columns();
    }
  }

  /**
   * Finds the roles; null if the calls are anything else than a training step. Their order is free,
   * as far as each takes what another gives, but for the last two.
   */
  static TrainingCalls of(List<Op> ops) {
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
    TrainingCalls step = new TrainingCalls(inputs, targets, layers, errors.get(0), update, ops);
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
      chained = forward.x().coincides(a) && (l == 0 || inOrder(layers.get(l - 1).forward, forward));
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
    return gap >= 0 && gap < StackTable.MOST_GAP;
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

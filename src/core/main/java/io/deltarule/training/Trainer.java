package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Matrix;
import io.deltarule.network.Parameters;
import io.deltarule.random.Philox;
import io.deltarule.training.TrainingListener.Epoch;
import io.deltarule.training.TrainingResult.Ending;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;

/**
 * Trains a network by mini-batch gradient descent. Where the samples fit the engine, they live
 * there: an epoch sends it only their order and the learning rates, and fetches only the losses.
 * Otherwise each batch is sent to it.
 */
public final class Trainer {
  /** Steps are queued for about this long before the host waits for them, to report and to stop. */
  private static final double REPORT_SECONDS = 0.1;

  /** Without validation, so many training samples show whether an epoch has left usable numbers. */
  private static final int CHECKED_ROWS = 256;

  private final Engine engine;
  private final TrainingOptions options;
  private final TrainingListener listener;
  private final BooleanSupplier stop;

  /**
   * A trainer that reports and can be stopped.
   *
   * @param engine that computes
   * @param options how to train
   * @param listener told of batches and epochs
   * @param stop asked between batches whether to end
   */
  public Trainer(
      Engine engine, TrainingOptions options, TrainingListener listener, BooleanSupplier stop) {
    this.engine = engine;
    this.options = options;
    this.listener = listener;
    this.stop = stop;
  }

  /**
   * A silent trainer.
   *
   * @param engine that computes
   * @param options how to train
   */
  public Trainer(Engine engine, TrainingOptions options) {
    this(engine, options, new TrainingListener() {}, () -> false);
  }

  /**
   * Trains from initial parameters, see {@link Parameters#initialise}.
   *
   * @param initial parameters and network
   * @param training samples to learn from
   * @param validation samples that choose the best epoch and end training early, never learned from
   * @return the best parameters and the course of training
   * @throws IllegalArgumentException if the samples do not fit the network or the batch size
   * @throws EngineMemoryException if the engine has no room, with the batch that would fit
   * @throws TrainingException if the loss is no longer finite and no better epoch can be kept
   */
  public TrainingResult train(Parameters initial, Samples training, Optional<Samples> validation) {
    requireFit(initial, training);
    validation.ifPresent(samples -> requireFit(initial, samples));
    if (options.batchSize() > training.rows()) {
      throw new IllegalArgumentException(
          "the batch size %d is larger than the %d training samples"
              .formatted(options.batchSize(), training.rows()));
    }
    try (Run run = open(initial, training, validation)) {
      run.streamedBecause.ifPresent(listener::streaming);
      Ending ending = Ending.COMPLETED;
      for (int epoch = 1; epoch <= options.epochs() && ending == Ending.COMPLETED; epoch++) {
        run.loadOrderAndRates(epoch);
        if (!run.runSteps(epoch)) {
          ending = Ending.STOPPED;
        } else {
          Epoch numbers = run.closeEpoch(epoch);
          listener.epochEnded(numbers);
          ending = run.judge(numbers);
        }
      }
      return run.result(ending);
    }
  }

  /** Puts the samples on the engine, or leaves them on the host, as the options say. */
  private Run open(Parameters initial, Samples training, Optional<Samples> validation) {
    if (options.placement() != DataPlacement.AUTO) {
      return openOrAdvise(initial, training, validation, options.placement(), Optional.empty());
    }
    try {
      return new Run(initial, training, validation, DataPlacement.DEVICE, Optional.empty());
    } catch (EngineMemoryException e) {
      engine.finish(); // so that what the attempt has released is free again
      return openOrAdvise(
          initial, training, validation, DataPlacement.HOST, Optional.of(e.getMessage()));
    }
  }

  private Run openOrAdvise(
      Parameters initial,
      Samples training,
      Optional<Samples> validation,
      DataPlacement placement,
      Optional<String> streamedBecause) {
    try {
      return new Run(initial, training, validation, placement, streamedBecause);
    } catch (EngineMemoryException e) {
      MemoryNeed need =
          new MemoryNeed(
              initial.network(),
              options.rule(),
              training.rows(),
              check(training, validation).rows());
      throw new EngineMemoryException(
          e.getMessage() + "; " + need.advice(engine, options.batchSize(), placement), e);
    }
  }

  /** What every epoch's parameters are tried on. */
  private static Samples check(Samples training, Optional<Samples> validation) {
    int rows = Math.min(CHECKED_ROWS, training.rows());
    return validation.orElseGet(() -> training.select(IntStream.range(0, rows).toArray()));
  }

  private static void requireFit(Parameters parameters, Samples samples) {
    int inputs = parameters.network().inputs();
    int outputs = parameters.network().outputs();
    if (samples.inputs() != inputs || samples.outputs() != outputs) {
      throw new IllegalArgumentException(
          "samples of %d features and %d targets for the network %s"
              .formatted(samples.inputs(), samples.outputs(), parameters.network()));
    }
  }

  /** The state of one training on the engine. */
  private final class Run implements AutoCloseable {
    private final Samples training;
    private final boolean validates;
    private final Samples check;
    private final DataPlacement placement; // DEVICE or HOST
    private final Optional<String> streamedBecause; // empty where nobody had to choose
    private final int batch; // B
    private final Resources resources = new Resources();
    private final Stack stack;
    private final Matrix best; // the parameters of the best epoch so far
    private final TrainingSteps steps; // of an epoch
    private final Stack.Pass checkPass;
    private final Features checkFeatures;
    private final Batches batches;
    private final List<Epoch> epochs = new ArrayList<>();
    private boolean finite; // the losses of the last epoch
    private double lowestLoss = Double.POSITIVE_INFINITY;
    private int bestEpoch;
    private double epochSeconds;
    private int portion = 1; // steps after which the host waits
    private double seconds;

    Run(
        Parameters initial,
        Samples training,
        Optional<Samples> validation,
        DataPlacement placement,
        Optional<String> streamedBecause) {
      this.training = training;
      validates = validation.isPresent();
      check = check(training, validation);
      this.placement = placement;
      this.streamedBecause = streamedBecause;
      batch = options.batchSize();
      try {
        stack = resources.own(new Stack(engine, initial.network()));
        stack.write(initial);
        best = stack.allocateLikeTheta("best parameters");
        int count = training.batches(batch);
        steps = resources.own(new TrainingSteps(engine, stack, options.rule(), batch, count));
        checkPass = stack.pass(Inference.batch(check.rows()));
        checkFeatures = checkFeatures();
        batches = resources.own(batches());
      } catch (RuntimeException | Error e) {
        resources.closeAfter(e);
        throw e;
      }
    }

    private Features checkFeatures() {
      String name = validates ? "validation features" : "checked features";
      float[] features = check.features();
      return placement == DataPlacement.DEVICE
          ? Features.resident(engine, resources, name, features, check.inputs())
          : Features.streamed(engine, resources, name, features, check.inputs(), checkPass.rows());
    }

    private Batches batches() {
      return placement == DataPlacement.DEVICE
          ? new ResidentBatches(engine, training, steps)
          : new StreamedBatches(engine, training, steps);
    }

    void loadOrderAndRates(int epoch) {
      int[] rows = IntStream.range(0, training.rows()).toArray();
      new Philox(options.seed(), Philox.Purpose.SHUFFLE, epoch).shuffle(rows);
      batches.begin(rows);
      steps.begin(i -> scalars((epoch - 1L) * steps.count() + i));
    }

    private float[] scalars(long done) {
      double progress = (double) done / ((long) options.epochs() * steps.count());
      double rate = options.learningRate() * options.schedule().factor(progress);
      return options.rule().scalars(done + 1, rate, options.weightDecay());
    }

    /** Queues an epoch's steps, in portions after which the host waits; false when stopped. */
    boolean runSteps(int epoch) {
      long start = System.nanoTime();
      int count = steps.count();
      for (int i = 0; i < count; ) {
        if (stop.getAsBoolean()) {
          return false;
        }
        long portionStart = System.nanoTime();
        int end = Math.min(count, i + portion);
        batches.steps(i, end);
        i = end;
        engine.finish();
        listener.progress(epoch, Math.min(i * batch, training.rows()), training.rows());
        double took = (System.nanoTime() - portionStart) * 1e-9;
        portion =
            took < REPORT_SECONDS / 2
                ? (int) Math.min(count, 2L * portion)
                : took > REPORT_SECONDS ? (portion + 1) / 2 : portion;
      }
      epochSeconds = (System.nanoTime() - start) * 1e-9;
      seconds += epochSeconds;
      return true;
    }

    /** Fetches the losses, tries the parameters, and keeps them if they are the best so far. */
    Epoch closeEpoch(int epoch) {
      float[] stepLosses = steps.readLosses();
      double sum = 0;
      for (int i = 0; i < stepLosses.length; i++) {
        sum += (double) stepLosses[i] * Math.min(batch, training.rows() - i * batch);
      }
      double trainLoss = sum / training.rows();
      float[] logits = Inference.logits(engine, stack, checkPass, checkFeatures, check.rows());
      double checkLoss = Metrics.loss(stack.network().output(), logits, check);
      finite = Double.isFinite(trainLoss) && Double.isFinite(checkLoss);
      boolean improved = validates ? checkLoss < lowestLoss : finite;
      if (improved) {
        lowestLoss = checkLoss;
        bestEpoch = epoch;
        engine.copy(stack.theta(), best);
      }
      Epoch numbers =
          new Epoch(
              epoch,
              trainLoss,
              validates ? checkLoss : Double.NaN,
              improved && validates,
              training.rows(),
              epochSeconds);
      epochs.add(numbers);
      return numbers;
    }

    /** Whether to go on (COMPLETED so far) or why not. */
    Ending judge(Epoch epoch) {
      if (!finite) {
        if (bestEpoch > 0) {
          return Ending.DIVERGED;
        }
        boolean unseen = validates && Double.isFinite(epoch.trainLoss());
        throw new TrainingException(
            "the %sloss is no longer finite in epoch %d; try a smaller learning rate than %s%s"
                .formatted(
                    unseen ? "validation " : "",
                    epoch.number(),
                    options.learningRate(),
                    unseen ? ", and look for outliers among the validation samples" : ""));
      }
      boolean impatient =
          validates && options.patience() > 0 && epoch.number() - bestEpoch >= options.patience();
      return impatient ? Ending.EARLY : Ending.COMPLETED;
    }

    TrainingResult result(Ending ending) {
      return new TrainingResult(
          stack.read(bestEpoch > 0 ? best : stack.theta()),
          bestEpoch,
          epochs,
          ending,
          seconds,
          placement);
    }

    @Override
    public void close() {
      resources.close();
    }
  }
}

package io.deltarule.app;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Precision;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.random.Philox;
import io.deltarule.training.ResidentBatches;
import io.deltarule.training.Resources;
import io.deltarule.training.Samples;
import io.deltarule.training.Stack;
import io.deltarule.training.TrainingSteps;
import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Trains a stack by plain gradient descent from fixed weights, on fixed data in a fixed order, and
 * writes them all to files, so that another framework can do the same work and arrive at the same
 * loss. Prints one JSON object a precision.
 */
@Command(name = "comparison", mixinStandardHelpOptions = true)
final class ComparisonBenchmark implements Callable<Integer> {
  private static final long SEED = 1;

  @Mixin private StackOptionsMixin stackOptions = new StackOptionsMixin();

  @Option(names = "--engine", defaultValue = "host")
  private String engineName;

  @Option(names = "--precisions", split = ",", converter = Converters.OfPrecision.class)
  private List<Precision> precisions = List.of(Precision.FP32);

  @Option(names = "--inputs", required = true, description = "Folder for the weights and the data.")
  private Path inputs;

  @Option(names = "--batch", required = true, converter = Converters.Positive.class)
  private int batch;

  @Option(
      names = "--batches",
      required = true,
      converter = Converters.Positive.class,
      description = "Mini-batches of an epoch.")
  private int batches;

  @Option(
      names = "--epochs",
      required = true,
      converter = Converters.Positive.class,
      description = "Epochs after which the loss is compared.")
  private int epochs;

  @Option(names = "--lr", required = true, converter = Converters.Size.class)
  private double learningRate;

  @Option(
      names = "--seconds",
      required = true,
      converter = Converters.Size.class,
      description = "Time for all repeats together, and half of it for a warm-up.")
  private double seconds;

  @Option(names = "--repeats", required = true, converter = Converters.Positive.class)
  private int repeats;

  @Spec private CommandSpec spec;

  private ComparisonBenchmark() {}

  /**
   * Runs the benchmark.
   *
   * @param arguments see {@code --help}
   */
  public static void main(String[] arguments) {
    System.exit(new CommandLine(new ComparisonBenchmark()).execute(arguments));
  }

  @Override
  public Integer call() throws IOException {
    Network network = stackOptions.network(spec.commandLine());
    int rows = Math.multiplyExact(batches, batch);
    Samples samples = RandomSamples.of(network, rows, SEED);
    Parameters initial = Parameters.initialise(network, SEED);
    int[] order = new int[rows];
    Arrays.setAll(order, i -> i);
    new Philox(SEED, Philox.Purpose.SHUFFLE, 0).shuffle(order);
    writeInputs(initial, samples, order);
    boolean failed = false;
    for (Precision precision : precisions) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("peer", "deltarule");
      result.put("variant", engineName);
      result.put("precision", precision.spelling());
      try (Engine engine =
              Engines.choose(engineName, new EngineOptions(precision, 0, "")).engine();
          Training training = new Training(engine, initial, samples, order)) {
        measure(training, result);
      } catch (RuntimeException e) {
        // The other precisions can still be measured.
        result.put("error", e.toString());
        failed = true;
      }
      spec.commandLine().getOut().println(Json.of(result));
      spec.commandLine().getOut().flush();
    }
    return failed ? Main.FAILED : Main.DONE;
  }

  /** Raw little-endian numbers: W and b of each layer, features, targets, and the order. */
  private void writeInputs(Parameters initial, Samples samples, int[] order) throws IOException {
    Files.createDirectories(inputs);
    for (int l = 0; l < initial.network().layers(); l++) {
      write("weights" + l + ".f32", initial.weights()[l]);
      write("biases" + l + ".f32", initial.biases()[l]);
    }
    write("features.f32", samples.features());
    write("targets.f32", samples.targets());
    map("order.i32", order.length).asIntBuffer().put(order);
  }

  private void write(String file, float[] values) throws IOException {
    map(file, values.length).asFloatBuffer().put(values);
  }

  private MappedByteBuffer map(String file, int elements) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            inputs.resolve(file),
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      MappedByteBuffer bytes = channel.map(FileChannel.MapMode.READ_WRITE, 0, 4L * elements);
      bytes.order(ByteOrder.LITTLE_ENDIAN);
      return bytes;
    }
  }

  private void measure(Training training, Map<String, Object> result) {
    training.epochs(1);
    result.put("first_loss", training.losses()[0]);
    training.epochs(epochs - 1);
    result.put("final_loss", training.losses()[batches - 1]);

    long runs = 0;
    long start = System.nanoTime();
    double spent;
    do {
      training.epochs(1);
      runs++;
      spent = (System.nanoTime() - start) * 1e-9;
    } while (spent < seconds / 2);
    int inner = (int) Math.max(1, runs * seconds / spent / repeats);
    double[] stepSeconds = new double[repeats];
    for (int r = 0; r < repeats; r++) {
      long from = System.nanoTime();
      training.epochs(inner);
      stepSeconds[r] = (System.nanoTime() - from) * 1e-9 / inner / batches;
    }
    result.put("step_seconds", Arrays.stream(stepSeconds).boxed().toList());
  }

  /** The training step, recorded on an engine as the trainer records it. */
  private final class Training implements AutoCloseable {
    private final Engine engine;
    private final Resources resources = new Resources();
    private final TrainingSteps steps;
    private final ResidentBatches mini;

    Training(Engine engine, Parameters initial, Samples samples, int[] order) {
      this.engine = engine;
      try {
        Stack stack = resources.own(new Stack(engine, initial.network()));
        stack.write(initial);
        UpdateRule rule = new UpdateRule.Sgd();
        steps = resources.own(new TrainingSteps(engine, stack, rule, batch, batches));
        mini = resources.own(new ResidentBatches(engine, samples, steps));
        mini.begin(order);
        steps.begin(i -> rule.scalars(i + 1, learningRate, 0));
      } catch (RuntimeException | Error e) {
        resources.closeAfter(e);
        throw e;
      }
    }

    /** Replays the steps of some epochs and waits once. */
    void epochs(int count) {
      for (int i = 0; i < count; i++) {
        steps.restart();
        mini.steps(0, batches);
      }
      engine.finish();
    }

    /** The losses of the last epoch's batches. */
    float[] losses() {
      return steps.readLosses();
    }

    @Override
    public void close() {
      resources.close();
    }
  }
}

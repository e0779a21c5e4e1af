package io.deltarule.app;

import io.deltarule.data.Dataset;
import io.deltarule.data.Datasets;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import io.deltarule.model.Model;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Preparation;
import io.deltarule.training.Samples;
import io.deltarule.verification.Quantity;
import io.deltarule.verification.Verification;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Compares two engines quantity by quantity. */
@Command(
    name = "verify",
    description =
        "Runs two engines on the same network and batch and compares them layer by layer: activations "
            + "A, error signals D, gradients dW and db, and the parameters W and b after some steps. A "
            + "double-precision reference tells which of the two is off. Exit status 1 unless all agree.",
    customSynopsis = {
      "deltarule verify [OPTIONS] [--stack N-N-...]",
      "deltarule verify [OPTIONS] MODEL DATA"
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  deltarule verify --stack 784-256-256-10 --output softmax --batch 100",
      "  deltarule verify --engine host --threads 1 wdbc.safetensors examples/wdbc.csv"
    })
final class VerifyCommand implements Callable<Integer> {
  @picocli.CommandLine.Parameters(
      arity = "0..2",
      paramLabel = "MODEL DATA",
      description = "A saved model and a file of data for it, instead of random ones.")
  private List<Path> files = List.of();

  @Mixin private StackOptionsMixin stackOptions = new StackOptionsMixin();
  @Mixin private DataOptionsMixin dataOptions = new DataOptionsMixin();
  @Mixin private EngineOptionsMixin engineOptions = new EngineOptionsMixin();

  @Option(
      names = "--against",
      paramLabel = "NAME",
      description = "The other engine. Default: ${DEFAULT-VALUE}")
  private String against = "host";

  @Option(
      names = "--batch",
      paramLabel = "N",
      converter = Converters.Positive.class,
      description = "Rows of the batch. Default: 32, or all rows of DATA if there are fewer")
  private int batch = 32;

  @Option(
      names = "--steps",
      paramLabel = "N",
      converter = Converters.Positive.class,
      description = "Steps of gradient descent. Default: ${DEFAULT-VALUE}")
  private int steps = 5;

  @Option(
      names = "--lr",
      paramLabel = "X",
      converter = Converters.Size.class,
      description = "Learning rate of the steps. Default: ${DEFAULT-VALUE}")
  private double learningRate = 0.01;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of random weights and data. Default: ${DEFAULT-VALUE}")
  private long seed = 0;

  @Option(names = "--json", description = "One JSON object as the last line.")
  private boolean json;

  private static final String OK = "ok";

  @Spec private CommandSpec spec;

  private PrintWriter out;

  VerifyCommand() {}

  /** What both engines run on. */
  private record Subject(Parameters parameters, Samples samples) {}

  @Override
  public Integer call() {
    out = spec.commandLine().getOut();
    if (files.size() == 1 || files.size() > 2) {
      throw new ParameterException(spec.commandLine(), "MODEL and DATA go together, or neither");
    }
    Exclusions.check(
        spec.commandLine(),
        files.isEmpty() ? "without MODEL and DATA" : "with MODEL and DATA",
        files.isEmpty()
            ? List.of("--label", "--header", "--delimiter")
            : List.of("--stack", "--hidden", "--activation", "--output", "--seed"));
    Subject subject = files.isEmpty() ? random() : saved();
    try (Engine first = engineOptions.open();
        Engine second = Engines.choose(against, EngineOptions.DEFAULT).engine()) {
      engineOptions.tellChoice(spec.commandLine().getErr());
      out.printf(
          "%s, batch %d%s%nfirst: %s%nsecond: %s%n",
          subject.parameters.network(),
          subject.samples.rows(),
          files.isEmpty() ? ", seed " + seed : "",
          first.description(),
          second.description());
      out.flush();
      Verification.Result one = run(first, subject);
      Verification.Result two = run(second, subject);
      boolean passed = tell(one, two);
      if (json) {
        out.println(Json.of(summary(first, second, subject, one, two, passed)));
      }
      return passed ? Main.DONE : Main.FAILED;
    }
  }

  private Verification.Result run(Engine engine, Subject subject) {
    return Verification.run(engine, subject.parameters, subject.samples, learningRate, steps);
  }

  private Subject random() {
    Network network = stackOptions.network(spec.commandLine());
    return new Subject(
        Parameters.initialise(network, seed), RandomSamples.of(network, batch, seed));
  }

  private Subject saved() {
    Model model = Model.load(files.get(0));
    Dataset data = Datasets.read(files.get(1), dataOptions.csv(), model.layout(true));
    Samples all = Preparation.prepare(data, model.inputs(), model.targets());
    int rows = Math.min(batch, all.rows());
    return new Subject(model.parameters(), all.select(IntStream.range(0, rows).toArray()));
  }

  /**
   * Whether both are near the reference and each other. After a kink on which they differed they
   * need not be near each other: then the reference, which has followed each, decides alone.
   */
  private static String verdict(Quantity one, Quantity two, boolean kinks) {
    if (!one.passed() || !two.passed()) {
      return one.passed() ? "second is off" : two.passed() ? "first is off" : "both are off";
    }
    // Each may be off by its tolerance, in opposite directions.
    return kinks || one.difference(two) <= one.tolerance() + two.tolerance() ? OK : "they differ";
  }

  private boolean tell(Verification.Result one, Verification.Result two) {
    out.printf(
        "%-5s %5s %13s %12s %10s %10s %12s %12s%n",
        "what", "layer", "shape", "difference", "relative", "tolerance", "first-ref", "second-ref");
    String firstOff = "";
    boolean kinks = one.kinks() + two.kinks() > 0;
    for (int i = 0; i < one.quantities().size(); i++) {
      Quantity a = one.quantities().get(i);
      Quantity b = two.quantities().get(i);
      String verdict = verdict(a, b, kinks);
      if (firstOff.isEmpty() && !verdict.equals(OK)) {
        firstOff = a.title() + ": " + verdict;
      }
      out.printf(
          Locale.ROOT,
          "%-5s %5d %13s %12.2e %10.1e %10.1e %12.2e %12.2e  %s%n",
          a.name(),
          a.layer(),
          a.rows() + " x " + a.columns(),
          a.difference(b),
          relative(a, b),
          a.tolerance(),
          a.error(),
          b.error(),
          verdict);
    }
    if (kinks) {
      out.printf(
          "kinks of the activation, where the reference followed: %d of first, %d of second%n",
          one.kinks(), two.kinks());
    }
    out.println(firstOff.isEmpty() ? "all agree" : "the first to leave its tolerance: " + firstOff);
    return firstOff.isEmpty();
  }

  private static double relative(Quantity a, Quantity b) {
    return a.scale() == 0 ? a.difference(b) : a.difference(b) / a.scale();
  }

  private Map<String, Object> summary(
      Engine first,
      Engine second,
      Subject subject,
      Verification.Result one,
      Verification.Result two,
      boolean passed) {
    List<Map<String, Object>> quantities = new ArrayList<>();
    for (int i = 0; i < one.quantities().size(); i++) {
      Quantity a = one.quantities().get(i);
      Quantity b = two.quantities().get(i);
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("what", a.name());
      entry.put("layer", a.layer());
      entry.put("rows", a.rows());
      entry.put("columns", a.columns());
      entry.put("difference", a.difference(b));
      entry.put("relative", relative(a, b));
      entry.put("tolerance", a.tolerance());
      entry.put("first_error", a.error());
      entry.put("second_error", b.error());
      entry.put("verdict", verdict(a, b, one.kinks() + two.kinks() > 0));
      quantities.add(entry);
    }
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("engine", first.description().engine());
    summary.put("device", first.description().device());
    summary.put("precision", first.description().precision().spelling());
    summary.put("against", second.description().engine());
    summary.put("stack", subject.parameters.network().stack());
    summary.put("batch", subject.samples.rows());
    summary.put("steps", steps);
    if (files.isEmpty()) {
      summary.put("seed", seed);
    }
    summary.put("kinks", one.kinks() + two.kinks());
    summary.put("passed", passed);
    summary.put("quantities", quantities);
    return summary;
  }
}

package io.deltarule.app;

import io.deltarule.data.Dataset;
import io.deltarule.data.Datasets;
import io.deltarule.data.Normalization;
import io.deltarule.engine.Tolerance;
import io.deltarule.model.Model;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.reference.GradientCheck;
import io.deltarule.reference.GradientCheck.LayerResult;
import io.deltarule.reference.ReferenceNetwork;
import io.deltarule.training.Preparation;
import io.deltarule.training.Samples;
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

/** Compares backpropagated gradients with finite differences on the user's network and data. */
@Command(
    name = "gradcheck",
    description =
        "Compares backpropagated gradients with finite differences, in double precision, on a saved "
            + "model or a new network and the data given. Exit status 1 if a layer's relative error "
            + "exceeds 1e-6.",
    customSynopsis = {
      "deltarule gradcheck [OPTIONS] MODEL DATA",
      "deltarule gradcheck [OPTIONS] [--hidden N,N,...] DATA"
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  deltarule gradcheck examples/wdbc.csv --hidden 64,32",
      "  deltarule gradcheck wdbc.safetensors examples/wdbc.csv"
    })
final class GradcheckCommand implements Callable<Integer> {
  @picocli.CommandLine.Parameters(
      arity = "1..2",
      paramLabel = "[MODEL] DATA",
      description = "A saved model, and the file to check it on; or the file alone.")
  private List<Path> files;

  @Mixin private DataOptionsMixin dataOptions = new DataOptionsMixin();
  @Mixin private NetworkOptionsMixin networkOptions = new NetworkOptionsMixin();

  @Option(
      names = "--rows",
      paramLabel = "N",
      converter = Converters.Positive.class,
      description = "Rows of DATA to use, from the first. Default: ${DEFAULT-VALUE}")
  private int rows = 32;

  @Option(
      names = "--parameters",
      paramLabel = "N",
      converter = Converters.NotNegative.class,
      description =
          "The most parameters to check in each layer, drawn by the seed; 0 for all. Default: "
              + "${DEFAULT-VALUE}")
  private int parameters = 200;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of the draw and of a new network's weights. Default: ${DEFAULT-VALUE}")
  private long seed = 0;

  @Option(names = "--json", description = "One JSON object as the last line.")
  private boolean json;

  @Spec private CommandSpec spec;

  GradcheckCommand() {}

  /** The network to check and the samples to check it on. */
  private record Subject(Parameters parameters, Samples samples) {}

  @Override
  public Integer call() {
    if (files.size() > 2) {
      throw new ParameterException(spec.commandLine(), "there are MODEL and DATA at most");
    }
    if (files.size() == 2) {
      Exclusions.check(
          spec.commandLine(), "with MODEL", List.of("--hidden", "--activation", "--output"));
    } else if (files.get(0).toString().endsWith(".safetensors")) {
      throw new ParameterException(spec.commandLine(), "DATA is missing after MODEL");
    }
    Subject subject = files.size() == 2 ? savedModel() : newNetwork();
    Network network = subject.parameters.network();
    int used = Math.min(rows, subject.samples.rows());
    Samples samples = subject.samples.select(IntStream.range(0, used).toArray());
    List<LayerResult> results =
        GradientCheck.check(
            new ReferenceNetwork(subject.parameters),
            ReferenceNetwork.rows(samples.features(), samples.rows(), samples.inputs()),
            ReferenceNetwork.rows(samples.targets(), samples.rows(), samples.outputs()),
            new GradientCheck.Options(parameters, 0, seed));
    return tell(network, used, results);
  }

  private Subject savedModel() {
    Model model = Model.load(files.get(0));
    Dataset data = Datasets.read(files.get(1), dataOptions.csv(), model.layout(true));
    return new Subject(
        model.parameters(), Preparation.prepare(data, model.inputs(), model.targets()));
  }

  private Subject newNetwork() {
    Dataset data = Datasets.read(files.get(0), dataOptions.csv());
    Preparation prepared =
        Preparation.of(
            data,
            networkOptions.output,
            data.image() ? Normalization.GLOBAL : Normalization.COLUMN,
            0,
            0,
            seed);
    try {
      Network network =
          new Network(
              data.inputs(),
              networkOptions.hidden(),
              networkOptions.activation,
              prepared.targets().columns(),
              networkOptions.output);
      return new Subject(Parameters.initialise(network, seed), prepared.training());
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private int tell(Network network, int usedRows, List<LayerResult> results) {
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%s on %d rows%n", network, usedRows);
    boolean passed = true;
    List<Map<String, Object>> layers = new ArrayList<>();
    for (LayerResult result : results) {
      passed &= result.passed();
      out.printf(
          Locale.ROOT,
          "layer %d  W [%s]  %d of %d parameters checked, %d at a kink  largest relative error "
              + "%.2e  %s%s%n",
          result.layer(),
          result.shape(),
          result.checked(),
          result.parameters(),
          result.kinks(),
          result.worst(),
          result.passed() ? "ok" : "FAILED ",
          result.passed() ? "" : result.where());
      Map<String, Object> layer = new LinkedHashMap<>();
      layer.put("layer", result.layer());
      layer.put("shape", result.shape());
      layer.put("parameters", result.parameters());
      layer.put("checked", result.checked());
      layer.put("kinks", result.kinks());
      layer.put("relative_error", result.worst());
      layer.put("where", result.where());
      layer.put("passed", result.passed());
      layers.add(layer);
    }
    out.println(passed ? "all gradients agree" : "gradients do not agree");
    if (json) {
      Map<String, Object> summary = new LinkedHashMap<>();
      summary.put("stack", network.stack());
      summary.put("rows", usedRows);
      summary.put("tolerance", Tolerance.GRADIENT_CHECK);
      summary.put("passed", passed);
      summary.put("layers", layers);
      out.println(Json.of(summary));
    }
    return passed ? Main.DONE : Main.FAILED;
  }
}

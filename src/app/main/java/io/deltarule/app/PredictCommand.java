package io.deltarule.app;

import de.siegmar.fastcsv.writer.CsvWriter;
import de.siegmar.fastcsv.writer.LineDelimiter;
import io.deltarule.data.Dataset;
import io.deltarule.data.TargetEncoding;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Output;
import io.deltarule.model.AtomicFile;
import io.deltarule.model.Model;
import io.deltarule.training.Inference;
import io.deltarule.training.Metrics;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Predicts each row of a file, as CSV. */
@Command(
    name = "predict",
    description =
        "Predicts each row of DATA, as CSV: the likeliest label and the probabilities, or the number "
            + "in the label's unit. DATA needs no labels.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  deltarule predict wdbc.safetensors examples/wdbc.csv --out predictions.csv"
    })
final class PredictCommand implements Callable<Integer> {
  @Mixin private ModelInput input = new ModelInput();
  @Mixin private EngineOptionsMixin engineOptions = new EngineOptionsMixin();

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Where to write. Default: standard output")
  private Path file;

  @Spec private CommandSpec spec;

  PredictCommand() {}

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    Model model = input.load();
    try (Engine engine = engineOptions.open()) {
      Dataset data = input.read(model, false);
      engineOptions.tellChoice(spec.commandLine().getErr());
      float[] logits =
          Inference.logits(engine, model.parameters(), model.inputs().apply(data.features()));
      String csv = csv(model.targets(), logits, data.rows());
      if (file == null) {
        out.print(csv);
      } else {
        AtomicFile.write(file, to -> to.write(csv.getBytes(StandardCharsets.UTF_8)));
        out.println("wrote " + data.rows() + " predictions to " + file);
      }
      return Main.DONE;
    }
  }

  private static String csv(TargetEncoding targets, float[] logits, int rows) {
    StringWriter text = new StringWriter();
    try (CsvWriter csv = CsvWriter.builder().lineDelimiter(LineDelimiter.LF).build(text)) {
      csv.writeRecord(header(targets));
      int n = targets.columns();
      double[] z = new double[n];
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < n; j++) {
          z[j] = logits[i * n + j];
        }
        targets.output().link(z);
        csv.writeRecord(record(targets, z));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }

  private static List<String> header(TargetEncoding targets) {
    List<String> names = new ArrayList<>(List.of("prediction"));
    if (targets.output() == Output.SIGMOID) {
      names.add("probability of " + targets.classes().get(1));
    } else {
      targets.classes().forEach(name -> names.add("probability of " + name));
    }
    return names;
  }

  private static List<String> record(TargetEncoding targets, double[] p) {
    List<String> cells = new ArrayList<>();
    switch (targets.output()) {
      case LINEAR -> cells.add(Float.toString(targets.decode((float) p[0])));
      case SIGMOID -> {
        cells.add(targets.classes().get(p[0] > 0.5 ? 1 : 0));
        cells.add(Float.toString((float) p[0]));
      }
      case SOFTMAX -> {
        int best = Metrics.argmax(p);
        cells.add(best < 0 ? "" : targets.classes().get(best));
        for (double share : p) {
          cells.add(Float.toString((float) share));
        }
      }
      default -> throw new AssertionError(targets.output());
    }
    return cells;
  }
}

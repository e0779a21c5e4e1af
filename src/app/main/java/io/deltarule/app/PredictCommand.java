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
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
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
    new OutputFiles()
        .reads("MODEL", input.model())
        .reads("DATA", input.data())
        .writes("--out", file);
    if (file != null) {
      AtomicFile.requireWritable(file, 0); // before the work whose result it is
    }
    try (Engine engine = engineOptions.open()) {
      Dataset data = input.read(model, false);
      float[] logits =
          Inference.logits(engine, model.parameters(), model.inputs().apply(data.features()));
      int odd;
      if (file == null) {
        odd = writeTo(out, model.targets(), logits, data.rows());
      } else {
        int[] count = new int[1];
        AtomicFile.write(
            file,
            to -> {
              Writer text = new OutputStreamWriter(to, StandardCharsets.UTF_8);
              count[0] = write(text, model.targets(), logits, data.rows());
              text.flush();
            });
        odd = count[0];
        out.println("wrote " + data.rows() + " predictions to " + file);
      }
      engineOptions.tellChoice(spec.commandLine().getErr());
      if (odd > 0) {
        spec.commandLine()
            .getErr()
            .println("warning: " + odd + " predictions are not finite; are the features in range?");
      }
      return Main.DONE;
    }
  }

  /** The same, where the writer keeps its errors to itself. */
  private static int writeTo(PrintWriter out, TargetEncoding targets, float[] logits, int rows) {
    try {
      return write(out, targets, logits, rows);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes all predictions, and returns how many are not finite. */
  private static int write(Writer to, TargetEncoding targets, float[] logits, int rows)
      throws IOException {
    int odd = 0;
    try {
      // Not closed: what it writes to belongs to the caller.
      CsvWriter csv = CsvWriter.builder().lineDelimiter(LineDelimiter.LF).build(to);
      csv.writeRecord(header(targets));
      int n = targets.columns();
      double[] z = new double[n];
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < n; j++) {
          z[j] = logits[i * n + j];
        }
        targets.output().link(z);
        csv.writeRecord(record(targets, z));
        odd += Arrays.stream(z).allMatch(Double::isFinite) ? 0 : 1;
      }
      csv.flush();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return odd;
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
      case LINEAR -> cells.add(Double.toString(targets.decode((float) p[0])));
      case SIGMOID -> {
        cells.add(Double.isNaN(p[0]) ? "" : targets.classes().get(p[0] > 0.5 ? 1 : 0));
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

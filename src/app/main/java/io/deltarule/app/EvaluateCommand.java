package io.deltarule.app;

import io.deltarule.data.Dataset;
import io.deltarule.engine.Engine;
import io.deltarule.model.Model;
import io.deltarule.training.Inference;
import io.deltarule.training.Metrics;
import io.deltarule.training.Preparation;
import io.deltarule.training.Samples;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a saved model on labelled data. */
@Command(
    name = "evaluate",
    description = "Measures a saved model on labelled data.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "Examples:", "  deltarule evaluate wdbc.safetensors examples/wdbc.csv --json"})
final class EvaluateCommand implements Callable<Integer> {
  @Mixin private ModelInput input = new ModelInput();
  @Mixin private EngineOptionsMixin engineOptions = new EngineOptionsMixin();

  @Option(names = "--json", description = "One JSON object as the last line.")
  private boolean json;

  @Spec private CommandSpec spec;

  EvaluateCommand() {}

  @Override
  public Integer call() {
    Model model = input.load();
    try (Engine engine = engineOptions.open()) {
      Dataset data = input.read(model, true);
      Samples samples = Preparation.prepare(data, model.inputs(), model.targets());
      float[] logits = Inference.logits(engine, model.parameters(), samples.features());
      Metrics metrics = Metrics.of(model.network().output(), logits, samples);
      spec.commandLine().getOut().println(MetricsText.line(metrics, model.targets()));
      if (json) {
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("engine", engine.description().engine());
        summary.put("device", engine.description().device());
        summary.put("precision", engine.description().precision().spelling());
        summary.put("data", data.source());
        MetricsText.put(summary, metrics, model.targets());
        spec.commandLine().getOut().println(Json.of(summary));
      }
      engineOptions.tellChoice(spec.commandLine().getErr());
      MetricsText.warn(metrics, spec.commandLine().getErr());
      return Main.DONE;
    }
  }
}

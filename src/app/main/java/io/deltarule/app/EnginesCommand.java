package io.deltarule.app;

import io.deltarule.engine.Availability;
import io.deltarule.engine.EngineProvider;
import io.deltarule.engine.Engines;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lists the engines, the fastest first. */
@Command(
    name = "engines",
    description =
        "Shows which engines can be used here, the fastest first, and why the rest cannot, with the "
            + "remedy.",
    mixinStandardHelpOptions = true,
    footer = {"", "Examples:", "  deltarule engines", "  deltarule engines --json"})
final class EnginesCommand implements Callable<Integer> {
  @Option(names = "--json", description = "One JSON object as the last line.")
  private boolean json;

  @Spec private CommandSpec spec;

  EnginesCommand() {}

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    List<Map<String, Object>> engines = new ArrayList<>();
    for (EngineProvider provider : Engines.providers()) {
      Availability availability = provider.probe();
      out.printf(
          "%-8s %s%n",
          provider.name(),
          availability.usable()
              ? "usable: " + availability.detail()
              : "not usable: " + availability.detail() + "; " + availability.remedy());
      Map<String, Object> engine = new LinkedHashMap<>();
      engine.put("engine", provider.name());
      engine.put("usable", availability.usable());
      engine.put("detail", availability.detail());
      engine.put("remedy", availability.remedy());
      engines.add(engine);
    }
    if (json) {
      out.println(Json.of(Map.of("engines", engines)));
    }
    return Main.DONE;
  }
}

package io.deltarule.app;

import io.deltarule.model.AtomicFile;
import io.deltarule.training.TrainingListener.Epoch;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A page of one training: settings, results and the losses as a plot. One file, no network needed.
 */
final class HtmlReport {
  /** More than any report has, apart from its epochs. */
  static final int MOST_BYTES = 1 << 20;

  /**
   * uPlot (MIT licence) draws the plot; its version is the jar's, a test tells when they differ.
   */
  private static final String UPLOT = "/META-INF/resources/webjars/uplot/1.6.30/dist/";

  private HtmlReport() {}

  /**
   * Writes the page.
   *
   * @param target where to
   * @param summary what {@code --json} prints
   * @param epochs the course of training
   */
  static void write(Path target, Map<String, Object> summary, List<Epoch> epochs) {
    String page = page(summary, epochs);
    AtomicFile.write(target, out -> out.write(page.getBytes(StandardCharsets.UTF_8)));
  }

  static String page(Map<String, Object> summary, List<Epoch> epochs) {
    String rows =
        summary.entrySet().stream()
            .map(
                entry ->
                    "<tr><th>%s</th><td>%s</td></tr>"
                        .formatted(
                            escape(entry.getKey().replace('_', ' ')),
                            escape(String.valueOf(entry.getValue()))))
            .collect(Collectors.joining("\n"));
    List<Object> series =
        List.of(
            epochs.stream().map(Epoch::number).toList(),
            epochs.stream().map(Epoch::trainLoss).toList(),
            epochs.stream().map(Epoch::validationLoss).toList());
    return resource("/io/deltarule/app/report.html")
        .replace("{{title}}", escape(summary.get("data") + " " + summary.get("stack")))
        .replace("{{summary}}", rows)
        .replace("{{losses}}", Json.of(series))
        .replace("{{uplot.css}}", resource(UPLOT + "uPlot.min.css"))
        .replace("{{uplot.js}}", resource(UPLOT + "uPlot.iife.min.js"));
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }

  private static String resource(String name) {
    try (InputStream in = HtmlReport.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException(name + " is not on the class path");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
